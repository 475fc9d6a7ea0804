import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openStore } from '../../src/stores/open.ts'
import { runCli } from '../support/command.ts'
import { migrationList, migrationNames } from '../support/migrations.ts'
import { runHere } from '../support/run-here.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'

describe('npx driftline migrate', () => {
  let folder: string
  let drop: () => Promise<void>
  beforeEach(async () => {
    ;({ folder, drop } = await temporaryFolder())
    await mkdir(join(folder, 'data'))
  })
  afterEach(() => drop())
  const env = () => ({ DATABASE_URL: `file:${join(folder, 'data', '{scope}.db')}` })
  async function makeFiles(count: number): Promise<void> {
    for (let n = 0; n < count; n++) await writeFile(join(folder, 'data', `s${n}.db`), '')
  }
  async function recorded(name: string): Promise<number> {
    const store = await openStore(`file:${join(folder, 'data', `${name}.db`)}`)
    try {
      const [rows] = await store.batch('', [{ sql: 'SELECT count(*) FROM driftline_migrations', params: [] }])
      return Number(rows?.[0]?.[0])
    } finally {
      await store.close()
    }
  }

  it('says for one database what it did, as ever', async () => {
    const one = { DATABASE_URL: `file:${join(folder, 'a.db')}` }
    expect(await runHere('migrate', [], one)).toEqual({ code: 0, out: `Applied ${migrationList}\n`, err: '' })
    expect(await runHere('migrate', [], one)).toEqual({ code: 0, out: 'The database is up to date.\n', err: '' })
    expect(await runHere('migrate', ['--check'], one)).toMatchObject({
      code: 0,
      out: 'The database fits the schema.\n',
    })
    expect(await runHere('restored', [], one)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Renewed 0 scopes: /),
    })
  })

  it('does every file of the folder and nothing else, a line for each where there is no terminal', async () => {
    await makeFiles(12)
    await writeFile(join(folder, 'data', 'notes.txt'), 'not ours')
    const { code, out, err } = await runHere('migrate', ['--jobs', '3'], env())
    expect([code, err]).toEqual([0, ''])
    expect(out.match(new RegExp(`^file:.*/s\\d+\\.db: Applied ${migrationList}$`, 'gm'))).toHaveLength(12)
    expect(out).toMatch(/\n12 of 12 databases done, 0 failed\.\n$/)
    for (let n = 0; n < 12; n++) expect(await recorded(`s${n}`)).toBe(migrationNames.length)
    const again = await runHere('migrate', [], env())
    expect(again.out.match(/up to date/g)).toHaveLength(12)
    expect((await runHere('migrate', ['--list'], env())).out.trim().split('\n')).toHaveLength(12)
  })

  it('P13 one that fails harms no other: it is named at the end, and done by the next run', async () => {
    await makeFiles(5)
    const broken = await openStore(`file:${join(folder, 'data', 's2.db')}`)
    await broken.batch('', [{ sql: 'CREATE TABLE todos (n)', params: [] }])
    const first = await runHere('migrate', [], env())
    expect([first.code, first.out.match(/Applied/g)?.length]).toEqual([1, 4])
    expect(first.err).toMatch(/^file:.*s2\.db: The migration 0001_init failed, and nothing of it was applied: .*\n$/)
    expect(first.out).toMatch(/4 of 5 databases done, 1 failed\.\n$/)
    await broken.batch('', [{ sql: 'DROP TABLE todos', params: [] }])
    await broken.close()
    const again = await runHere('migrate', [], env())
    expect([again.code, again.out.match(/Applied/g)?.length, again.out.match(/up to date/g)?.length]).toEqual([0, 1, 4])
  })

  it('-- --check names the file and what is wrong with it, and changes nothing', async () => {
    await makeFiles(2)
    await runHere('migrate', ['--scope', 's1'], env())
    const { code, out, err } = await runHere('migrate', ['--check'], env())
    expect(code).toBe(1)
    expect(out).toMatch(/s1\.db: The database fits/)
    expect(err.match(/s0\.db: .* is missing: run npx driftline migrate\./g)?.length).toBeGreaterThan(1)
    expect(await recorded('s0').catch(() => 'none')).toBe('none')
  })

  it('takes scopes by name, from a file and from standard input, by the names of their databases', async () => {
    await writeFile(join(folder, 'scopes.txt'), 'alice\r\nteam:9\n\nalice\n')
    const args = ['--scopes', join(folder, 'scopes.txt'), '--scope', 'bob', '--scope', 'a b']
    expect(
      (await runHere('migrate', [...args, '--list'], env())).out
        .trim()
        .split('\n')
        .map((line) => line.split('/').at(-1)),
    ).toEqual(['bob.db', 'abzbuhucfklvxnebcdfd5gu2l2xd.db', 'alice.db', 'team9petssjxp7dx2w5jft3q5wkpnij.db'])
    expect(await readdir(join(folder, 'data'))).toEqual([])
    expect((await runHere('migrate', args, env())).code).toBe(0)
    expect((await readdir(join(folder, 'data'))).filter((file) => file.endsWith('.db'))).toHaveLength(4)
    await runCli('migrate', ['--scopes', '-'], env(), { input: 'carol\n' })
    expect(await recorded('carol')).toBe(migrationNames.length)
  })

  it('does all shards, and they know of each other', async () => {
    const urls = await Promise.all([createDatabase(), createDatabase(), createDatabase()])
    const shards = { DATABASE_URL: urls.join(' ') }
    const first = await runHere('migrate', [], shards)
    expect([first.code, first.err]).toEqual([0, ''])
    expect(first.out.match(/Applied driftline\/0001_tables, driftline\/0002_adds, 0001_init/g)).toHaveLength(3)
    const without = await runHere('migrate', [], { DATABASE_URL: urls.slice(0, 2).join(' ') })
    expect([without.code, without.err]).toEqual([
      1,
      expect.stringMatching(/^DATABASE_URL lacks 127\.0\.0\.1:.*name it again\n$/),
    ])
    const restored = await runHere('restored', [], shards)
    expect([restored.code, restored.out.match(/Renewed 0 scopes/g)?.length]).toEqual([0, 3])
  })

  it.each([
    [
      'an option that it does not know',
      ['--jbos', '2'],
      /^Unknown option '--jbos'\. The options are --check, --list, --jobs …, --scope …, --scopes ….\n$/,
    ],
    ['no jobs', ['--jobs', '0'], /^--jobs must be a whole number from 1 to 100\n$/],
    ['a word', ['now'], /^Unexpected argument 'now'\. .*The options are/],
    ['a file that is not there', ['--scopes', '/nowhere'], /ENOENT.*\/nowhere/],
  ])('refuses %s with one sentence', async (_, args, message) => {
    const { code, err } = await runHere('migrate', args, env())
    expect([code, err]).toEqual([1, expect.stringMatching(message)])
  })

  it('asks for the scopes where their databases cannot be found, and takes none where there is one for all', async () => {
    const turso = await runHere('migrate', [], { DATABASE_URL: 'libsql://{scope}-acme.example' })
    expect([turso.code, turso.err]).toEqual([1, expect.stringMatching(/^Say whose databases: .*--scopes scopes\.txt/)])
    const list = await runHere('migrate', ['--list', '--scope', 'x-evil'], {
      DATABASE_URL: 'libsql://{scope}-acme.example',
    })
    expect(list.out).toBe('xevilenekr7ns3d47cuctnganaso7xl-acme.example\n')
    const one = await runHere('migrate', ['--scope', 'a'], { DATABASE_URL: 'file:a.db' })
    expect(one.err).toBe('--scope and --scopes are for a DATABASE_URL with {scope}\n')
  })

  it('Ctrl-C lets what is under way finish, and the next run goes on', async () => {
    await makeFiles(200)
    const entry = new URL('../../src/cli/main.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [entry, 'migrate', '--jobs', '2'], {
      env: { PATH: process.env.PATH, ...env() },
    })
    const exited = once(child, 'exit')
    const err = text(child.stderr)
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      if (out === '') child.kill('SIGINT')
      out += chunk
    })
    const [code] = await exited
    expect(code).toBe(130)
    const done = Number(/Stopped with (\d+) of 200 databases done\. Run it again/.exec(await err)?.[1])
    expect(done).toBeLessThan(200)
    expect(out.match(/Applied/g)).toHaveLength(done)
    const again = await runHere('migrate', [], env())
    expect([again.code, again.out.match(/Applied/g)?.length, again.out.match(/up to date/g)?.length]).toEqual([
      0,
      200 - done,
      done,
    ])
  })

  it.skipIf(process.platform !== 'linux')('shows a bar on a terminal', async () => {
    await makeFiles(30)
    const entry = new URL('../../src/cli/main.ts', import.meta.url).pathname
    // `script` of util-linux gives the command a terminal.
    const child = spawn('script', ['-qec', `${process.execPath} ${entry} migrate`, '/dev/null'], {
      env: { PATH: process.env.PATH, TERM: 'xterm', ...env() },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const out = await text(child.stdout)
    expect(out).toMatch(/█.* 30 of 30 databases/)
    expect(out).not.toMatch(/Applied/)
    expect(out).toMatch(/30 of 30 databases done, 0 failed\./)
  })
})
