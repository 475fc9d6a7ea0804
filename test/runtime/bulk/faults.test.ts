import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { openStore } from '../../../src/stores/open.ts'
import { runCli, startCli } from '../../support/command.ts'
import { sampleMigrations } from '../../support/migrations.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { runHere } from '../../support/run-here.ts'
import { createDatabase, dialectStores, temporaryFolder } from '../../support/stores.ts'

/** More than an import has under way. */
const count = 15_000
const stamp = '2026-11-21T01:00:00Z'

describe('an import that something happens to', () => {
  let folder: string
  let drop: () => Promise<void>
  let postgres: Postgres | undefined
  beforeEach(async () => {
    ;({ folder, drop } = await temporaryFolder())
  })
  afterEach(async () => {
    await postgres?.stop()
    postgres = undefined
    await drop()
  })

  async function prepare(url: string): Promise<string> {
    const store = await openStore(url)
    await migrate(store, await readMigrations(store.dialect.name, sampleMigrations))
    await store.close()
    return url
  }
  const open = async (name: string) =>
    prepare(name === 'postgres' ? await createDatabase() : `file:${join(folder, 'test.db')}`)
  /** Rows of the scope: how many, of how many titles, and where their positions end. */
  async function look(url: string): Promise<{ rows: number; titles: number; position: number }> {
    const store = await openStore(url)
    try {
      const sql = "SELECT count(*), count(DISTINCT title), max(position) FROM todos WHERE scope = 'alice'"
      const [[cells] = []] = await store.batch('alice', [{ sql, params: [] }])
      const [rows, titles, position] = (cells ?? []).map(Number)
      return { rows: rows ?? 0, titles: titles ?? 0, position: position ?? 0 }
    } finally {
      await store.close()
    }
  }
  /** A file of CSV in which every thousandth row is wrong. */
  async function makeFile(file = 'towns.csv', rows = count, title = 'title'): Promise<string[]> {
    const lines = Array.from({ length: rows }, (_, n) => `${n},${n % 1000 === 7 ? 'x' : n},"${title} ${n}"\n`)
    const text = `id,priority,title\n${lines.join('')}`
    await writeFile(join(folder, file), file.endsWith('.gz') ? gzipSync(text) : text)
    return ['--table', 'todos', '--scope', 'alice', '--at', stamp, file]
  }
  /** In a process of its own, for what happens to one. */
  const begin = (url: string, args: readonly string[]) =>
    startCli('import', args, { DATABASE_URL: url }, { cwd: folder })
  async function until(done: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 30_000; !(await done()); await sleep(20)) {
      if (Date.now() > end) throw new Error('It never came to that')
    }
  }
  /** By one connection: each new one costs as much as some thousand lines. */
  async function someRows(url: string): Promise<void> {
    const store = await openStore(url)
    const first = { sql: 'SELECT 1 FROM todos LIMIT 1', params: [], reads: true } as const
    await until(async () => (await store.batch('alice', [first]))[0]?.length === 1).finally(() => store.close())
  }
  const all = { rows: count - count / 1000, titles: count - count / 1000 }
  const rejectedLines = async (file = 'towns.csv') =>
    (await readFile(join(folder, `${file}.rejected.ndjson`), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line).line) // biome-ignore format: one way
  const wrongLines = Array.from({ length: count / 1000 }, (_, n) => n * 1000 + 9)

  it.each(dialectStores)(
    'P5 stops after what is under way on Ctrl-C, and goes on with --resume, on %s',
    async (name) => {
      const url = await open(name)
      const args = await makeFile()
      const { child, ran } = begin(url, args)
      await someRows(url)
      child.kill('SIGINT')
      const { code, out, err } = await ran
      expect(code).toBe(130)
      expect(err).toMatch(/Stopping after what is under way; again ends at once\.\n/)
      const [, line] =
        /All lines up to (\d+) are done with\. Go on with: npx driftline import --table todos .* towns\.csv --resume\n$/.exec(
          err,
        ) ?? []
      const { rows } = await look(url)
      expect(rows).toBeLessThan(all.rows)
      // Each thousandth of the lines was rejected, and the first is the header.
      expect(rows).toBe(Number(line) - 1 - wrongLines.filter((wrong) => wrong <= Number(line)).length)
      expect(out).toMatch(new RegExp(`${rows.toLocaleString('en')} applied, 0 duplicate, 0 stale, \\d+ rejected\\.`))

      expect(await runHere('import', args, { DATABASE_URL: url }, { cwd: folder })).toMatchObject({
        ...{ code: 1, out: '' },
        err: expect.stringMatching(
          /^An import of towns\.csv was stopped after line \d+ .* Add --resume to go on, or --anew /,
        ),
      })
      const other = args.map((word) => (word === 'alice' ? 'bob' : word))
      expect(await runHere('import', [...other, '--resume'], { DATABASE_URL: url }, { cwd: folder })).toMatchObject({
        ...{ code: 1, out: '' },
        err: expect.stringMatching(
          /^Not the same import .* --scope: alice then, bob now\. Give the same, or begin anew /,
        ),
      })

      const resumed = await runHere('import', [...args, '--resume'], { DATABASE_URL: url }, { cwd: folder })
      expect(resumed).toMatchObject({
        code: 2,
        out: expect.stringContaining(
          `: ${all.rows.toLocaleString('en')} applied, 0 duplicate, 0 stale, ${count / 1000} rejected.`,
        ),
      })
      expect(await look(url)).toMatchObject(all)
      expect(await rejectedLines()).toEqual(wrongLines)
      expect(existsSync(join(folder, 'towns.csv.import.json'))).toBe(false)
    },
  )

  it.each(dialectStores)(
    'P2 P5 killed in the middle goes on with --resume, and sent whole again changes nothing, on %s',
    async (name) => {
      let url = ''
      let args: string[] = []
      // It may have come to its end before it is seen to have begun.
      for (let tries = 1; tries <= 5; tries++) {
        url = name === 'postgres' ? await open(name) : await prepare(`file:${join(folder, `killed-${tries}.db`)}`)
        args = await makeFile()
        const { child, ran } = begin(url, tries === 1 ? args : [...args, '--anew'])
        await someRows(url)
        child.kill('SIGKILL')
        await ran
        if ((await look(url)).rows < all.rows) break
      }
      expect((await look(url)).rows).toBeLessThan(all.rows)
      const resumed = await runHere('import', [...args, '--resume'], { DATABASE_URL: url }, { cwd: folder })
      expect([resumed.code, resumed.err]).toEqual([2, expect.stringContaining(`${count / 1000} rejected: all of them`)])
      const { position, ...rows } = await look(url)
      expect(rows).toEqual(all)
      expect(await rejectedLines()).toEqual(wrongLines)

      const again = await runHere('import', args, { DATABASE_URL: url }, { cwd: folder })
      expect(again.out).toContain(
        `: 0 applied, ${all.rows.toLocaleString('en')} duplicate, 0 stale, ${count / 1000} rejected.`,
      )
      expect(await look(url)).toEqual({ position, ...all })
    },
  )

  it('P13 waits for a Postgres that is restarted, and loses nothing', async () => {
    postgres = await startPostgres()
    const url = await prepare(await postgres.createDatabase())
    const { ran } = begin(url, await makeFile())
    await someRows(url)
    postgres.kill('SIGQUIT')
    await postgres.restart()
    expect(await ran).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^The database is away.*; trying again in /m),
    })
    expect(await look(url)).toMatchObject(all)
    expect(await rejectedLines()).toEqual(wrongLines)
  })

  it('P13 says so where a Postgres stays away, and goes on with --resume when it is back', async () => {
    postgres = await startPostgres()
    const url = await prepare(await postgres.createDatabase())
    const args = await makeFile()
    const { child, ran } = begin(url, args)
    await someRows(url)
    postgres.kill('SIGQUIT')
    let err = ''
    child.stderr?.on('data', (text) => {
      err += text
    })
    await until(async () => err.includes('trying again'))
    child.kill('SIGINT')
    expect(await ran).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /^The database does not answer, or takes nothing: .*\n.* Go on with: npx driftline import .* --resume\n$/m,
      ),
    })
    await postgres.restart()
    expect(await runHere('import', [...args, '--resume'], { DATABASE_URL: url }, { cwd: folder })).toMatchObject({
      code: 2,
    })
    expect(await look(url)).toMatchObject(all)
    expect(await rejectedLines()).toEqual(wrongLines)
  })

  /** No file of the process may grow beyond so many bytes: to a database, a full disk. */
  const limitFiles = (pid: number | undefined, bytes: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`], statSync(`/proc/${pid}`))

  it.runIf(process.platform === 'linux').each(dialectStores)(
    'P2 P13 says that the disk is full, and goes on with --resume once there is room, on %s',
    async (name) => {
      if (name === 'postgres') {
        postgres = await startPostgres()
        // Its backends get the limit from the postmaster.
        limitFiles(postgres.pid, 3 << 20)
      }
      const url = postgres ? await prepare(await postgres.createDatabase()) : await open(name)
      const args = await makeFile('towns.csv', count, 'a title of some length '.repeat(15))
      const { child, ran } = begin(url, args)
      if (!postgres) limitFiles(child.pid, 3 << 20)
      expect(await ran).toMatchObject({
        code: 1,
        err: expect.stringMatching(
          /^The database cannot write: .* Its disk may be full: make room\.\n(All lines|Nothing).* Go on with: .* --resume\n$/m,
        ),
      })
      expect((await look(url)).rows).toBeLessThan(all.rows)
      if (postgres) limitFiles(postgres.pid, 'unlimited')
      expect(await runHere('import', [...args, '--resume'], { DATABASE_URL: url }, { cwd: folder })).toMatchObject({
        code: 2,
      })
      expect(await look(url)).toMatchObject(all)
    },
  )

  it('P5 says where a gzip that is cut ends, and takes the whole one after it', async () => {
    const url = await open('libsql file')
    const args = await makeFile('towns.csv.gz')
    const whole = await readFile(join(folder, 'towns.csv.gz'))
    await writeFile(join(folder, 'towns.csv.gz'), whole.subarray(0, whole.length >> 1))
    const { code, err } = await runHere('import', args, { DATABASE_URL: url }, { cwd: folder })
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /^towns\.csv\.gz ends too early: the gzip is cut\. Get all of it\.\nAll lines up to \d+ are done with\. Give all of it again with --anew --at \d+: /m,
      ),
    ])
    const { rows } = await look(url)
    expect(rows).toBeGreaterThan(2_000)
    await writeFile(join(folder, 'towns.csv.gz'), whole)
    expect(await runHere('import', [...args, '--resume'], { DATABASE_URL: url }, { cwd: folder })).toMatchObject({
      err: expect.stringMatching(/^Not the same import .* file: \d+ bytes of /),
    })
    const { out } = await runHere('import', [...args, '--anew'], { DATABASE_URL: url }, { cwd: folder })
    expect(out).toContain(` applied, ${rows.toLocaleString('en')} duplicate, 0 stale, ${count / 1000} rejected.`)
    expect(await look(url)).toMatchObject(all)
  })

  it('P12 holds no more than a few chunks in memory, however long the file', async () => {
    const url = await open('libsql file')
    const lines = Array.from({ length: 100_000 }, (_, n) => `{"id":"${n}","title":"${'a title '.repeat(20)}"}\n`)
    await writeFile(join(folder, 'long.ndjson'), lines.join(''))
    const env = { DATABASE_URL: url, NODE_OPTIONS: '--max-old-space-size=60' }
    const ran = await runCli('import', ['--table', 'todos', '--scope', 'alice', '--at', 'now', 'long.ndjson'], env, {
      cwd: folder,
    })
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining(': 100,000 applied, 0 duplicate') })
  })
})
