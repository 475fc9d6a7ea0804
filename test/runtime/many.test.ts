import { existsSync } from 'node:fs'
import { readdir, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../support/command.ts'
import { startHranaServer } from '../support/hrana-server.ts'
import { migrationList } from '../support/migrations.ts'
import { runHere } from '../support/run-here.ts'
import { type ServerProcess, startServer, testSecret } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'

const put = (id: string) => ({ table: 'todos', op: 'put', id, at: Date.now() * 1000, row: { title: id } })

/** Where the system tells. */
async function openFiles(pid: number | undefined): Promise<string[] | undefined> {
  const folder = `/proc/${pid}/fd`
  if (!existsSync(folder)) return undefined
  return Promise.all((await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => '')))
}

describe('npm start', () => {
  const cleanups: (() => unknown)[] = []
  let folder: string
  beforeEach(async () => {
    const temporary = await temporaryFolder()
    folder = temporary.folder
    cleanups.push(temporary.drop)
  })
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  async function serve(env: Record<string, string>): Promise<ServerProcess> {
    const server = await startServer(env, folder)
    cleanups.push(() => server.stop('SIGKILL'))
    return server
  }
  const push = (server: ServerProcess, sub: string, id = 'a') =>
    server.request('POST', '/v1/push', { sub, body: { client: 'a', changes: [put(id)] } })
  const idsOf = async (server: ServerProcess, sub: string) => {
    const { json } = await server.request('GET', '/v1/pull', { sub })
    return json.changes.map(({ id }: { id: string }) => id)
  }

  it('P2 P11 with a file for each scope: made on the first write, kept over a restart, served by two processes', async () => {
    const env = { DATABASE_URL: 'file:data/{scope}.db' }
    const servers = [await serve(env), await serve(env)]
    const files = async () => (await readdir(join(folder, 'data'))).filter((file) => file.endsWith('.db')).toSorted()
    expect(await idsOf(servers[0]!, 'stranger')).toEqual([])
    expect(existsSync(join(folder, 'data'))).toBe(false)
    const subs = ['alice', 'Alice', '../alice']
    const answers = await Promise.all(
      servers.flatMap((server, n) => subs.map((sub) => push(server, sub, `${sub} ${n}`))),
    )
    expect(answers.map(({ json }) => json.verdicts[0].verdict)).toEqual(answers.map(() => 'applied'))
    expect(await files()).toHaveLength(3)
    expect(await files()).toContain('alice.db')
    for (const server of servers) expect(await server.stop()).toBe(0)
    const again = await serve(env)
    for (const sub of subs) expect((await idsOf(again, sub)).toSorted()).toEqual([`${sub} 0`, `${sub} 1`])
    expect((await readdir(folder)).toSorted()).toEqual(['data', 'driftline.config.mjs', 'migrations'])
  })

  it('with more scopes than files may be open', async () => {
    const server = await serve({ DATABASE_URL: 'file:data/{scope}.db' })
    const subs = Array.from({ length: 240 }, (_, n) => `s${n}`)
    const pushed = await Promise.all(subs.map((sub) => push(server, sub, sub)))
    expect(new Set(pushed.map(({ status }) => status))).toEqual(new Set([200]))
    // Of 100 open files, each with a reader and a writer, and of 100 of either that the driver has
    // not let go of yet.
    const files = await openFiles(server.process.pid)
    if (files !== undefined) expect(files.filter((file) => file.endsWith('.db')).length).toBeLessThan(450)
    for (const sub of subs.filter((_, n) => n % 50 === 0)) expect(await idsOf(server, sub)).toEqual([sub])
  })

  it('P13 with a Turso database for each scope: 503 until it is there, 500 until it is migrated, then served', async () => {
    const hrana = await startHranaServer((host) => {
      const file = join(folder, `${host}.turso`)
      return existsSync(file) ? file : undefined
    })
    cleanups.push(() => hrana.close())
    // *.example has no address: the server at hand is its proxy, and knows the databases by their
    // hosts.
    const env = { DATABASE_URL: 'http://{scope}-acme.example', NODE_USE_ENV_PROXY: '1', HTTP_PROXY: hrana.url }
    const server = await serve(env)
    const make = (name: string) => writeFile(join(folder, `${name}-acme.example.turso`), '')
    const missing = await push(server, 'alice')
    expect([missing.status, missing.json.code, missing.headers.get('retry-after')]).toEqual([503, 'unavailable', '2'])
    await make('alice')
    expect((await push(server, 'alice')).status).toBe(500)
    const migrated = await runCli('migrate', ['--scope', 'alice', '--scope', 'bob'], env)
    expect([migrated.code, migrated.out]).toEqual([
      1,
      expect.stringMatching(
        new RegExp(`^alice-acme\\.example: Applied ${migrationList}\n1 of 2 databases done, 1 failed\\.\n$`),
      ),
    ])
    expect(migrated.err).toMatch(/^bob-acme\.example: /)
    expect((await push(server, 'alice')).json.verdicts).toMatchObject([{ verdict: 'applied' }])
    await make('xevilenekr7ns3d47cuctnganaso7xl')
    await runCli('migrate', ['--scope', 'x-evil'], env)
    await push(server, 'x-evil', 'of x-evil')
    expect(await idsOf(server, 'alice')).toEqual(['a'])
    expect(await idsOf(server, 'x-evil')).toEqual(['of x-evil'])
    expect(server.output()).not.toMatch(/x-evil|SELECT|INSERT/)
    const restored = await runCli('restored', ['--scope', 'alice'], env)
    expect(restored.out).toMatch(/^Renewed 1 scope: /)
  })

  it('P3 on shards: migrates and checks all of them, moves nothing when one is added, refuses a list that lacks one', async () => {
    const urls = await Promise.all([createDatabase(), createDatabase(), createDatabase()])
    const subs = Array.from({ length: 12 }, (_, n) => `s${n}`)
    const two = await serve({ DATABASE_URL: urls.slice(0, 2).join(' ') })
    expect(two.output()).toMatch(new RegExp(`^Migrated: ${migrationList}\n`))
    for (const sub of subs) expect((await push(two, sub)).json.verdicts).toMatchObject([{ verdict: 'applied' }])
    expect(await two.stop()).toBe(0)
    const three = await serve({ DATABASE_URL: urls.join(' ') })
    for (const sub of subs) expect(await idsOf(three, sub)).toEqual(['a'])
    await three.stop()
    const lacking = await serve({ DATABASE_URL: urls.slice(1).join(' ') })
    expect(await lacking.stop()).toBe(1)
    expect(lacking.output()).toMatch(
      /^DATABASE_URL must begin with|^DATABASE_URL lacks the database that keeps the directory/,
    )
    expect(lacking.output()).not.toMatch(/\n\s+at /)
  })

  it.each([
    ['{scope} in the place of a host', 'libsql://{scope}', /must stand in the first part of the host/],
    ['{scope} as a folder', 'file:{scope}/a.db', /must stand in the name of the file/],
    ['shards that are not Postgres', 'postgres://127.0.0.1/a file:b.db', /may name several databases/],
  ])('refuses %s with one sentence', async (_, DATABASE_URL, message) => {
    const { code, out, err } = await runHere('start', [], { DATABASE_URL, AUTH_SECRET: testSecret }, { cwd: folder })
    expect(code).toBe(1)
    expect(out + err).toMatch(message)
    expect((out + err).trim()).not.toContain('\n')
  })
})
