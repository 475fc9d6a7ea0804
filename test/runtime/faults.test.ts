import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { idsOf, pushing, putNow as put, until } from '../support/pushing.ts'
import { type ServerProcess, startServer } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'

describe('faults', () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  async function serve(env: Record<string, string>): Promise<ServerProcess> {
    const server = await startServer(env)
    cleanups.push(() => server.stop('SIGKILL'))
    return server
  }
  async function database(): Promise<Postgres> {
    const postgres = await startPostgres({ settings: { fsync: 'on' } })
    cleanups.push(() => postgres.stop())
    return postgres
  }
  async function file(): Promise<string> {
    const { folder, drop } = await temporaryFolder()
    cleanups.push(drop)
    return `file:${folder}/a.db`
  }
  const backendsOf = ({ pid }: Postgres) =>
    execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/)
      .map(Number)

  it('P2 nothing acknowledged is lost when the server is killed in the middle of pushes, on a file', async () => {
    const url = await file()
    const acknowledged: string[] = []
    for (let round = 0; round < 3; round++) {
      const server = await serve({ DATABASE_URL: url })
      const writers = [pushing([server], `a${round}`), pushing([server], `b${round}`)]
      await until(() => writers.every((writer) => writer.acknowledged.length >= 50))
      await server.stop('SIGKILL')
      for (const writer of writers) acknowledged.push(...(await writer.stop()).acknowledged)
    }
    const ids = await idsOf(await serve({ DATABASE_URL: url }))
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
  })

  it('P2 P5 two server processes on one file: nothing lost, nothing refused', async () => {
    const url = await file()
    const servers = await Promise.all([serve({ DATABASE_URL: url }), serve({ DATABASE_URL: url })])
    const writers = [
      pushing([servers[0] as ServerProcess], 'a'),
      pushing([servers[1] as ServerProcess], 'b'),
      pushing(servers, 'c'),
    ]
    await until(() => writers.every((writer) => writer.acknowledged.length >= 150))
    const outcomes = await Promise.all(writers.map((writer) => writer.stop()))
    for (const { refused } of outcomes) expect([...refused]).toEqual([])
    const ids = await idsOf(servers[0] as ServerProcess)
    for (const { acknowledged } of outcomes) expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
  })

  it('P2 P13 Postgres is killed in the middle of pushes: 503 meanwhile, then answers by itself, nothing acknowledged is lost', async () => {
    const postgres = await database()
    const server = await serve({ DATABASE_URL: await postgres.createDatabase() })
    const writers = ['a', 'b', 'c'].map((writer) => pushing([server], writer))
    const lost: string[] = []
    for (let round = 1; round <= 2; round++) {
      await until(() => writers.every((writer) => writer.acknowledged.length >= round * 50))
      postgres.kill('SIGKILL')
      const pushAway = async (id: string) => {
        const away = await server.request('POST', '/v1/push', { body: { client: 'd', changes: [put(id)] } })
        if (away.status !== 200) lost.push(id)
        return away
      }
      // A backend lives on until it sees that its postmaster is gone.
      let away = await pushAway(`away${round}`)
      for (let n = 0; n < 200 && away.status === 200; n++) away = await pushAway(`away${round}-${n}`)
      expect([away.status, away.json.code, away.json.retryable]).toEqual([503, 'unavailable', true])
      expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0)
      await postgres.restart()
    }
    await until(() => writers.every((writer) => writer.acknowledged.length >= 150))
    const outcomes = await Promise.all(writers.map((writer) => writer.stop()))
    const ids = await idsOf(server)
    for (const { acknowledged, refused } of outcomes) {
      expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
      expect([...refused].filter((status) => status !== 503)).toEqual([])
    }
    expect(lost.filter((id) => ids.has(id))).toEqual([])
    expect(server.output()).not.toMatch(/INSERT|SELECT|password/)
  })

  it('P2 P5 P13 a database that hangs is given up with 503 within the deadline, and used again once it answers', async () => {
    const postgres = await database()
    const server = await serve({ DATABASE_URL: await postgres.createDatabase() })
    expect((await server.request('POST', '/v1/push', { body: { client: 'a', changes: [put('before')] } })).status).toBe(
      200,
    )
    const backends = backendsOf(postgres)
    for (const pid of [postgres.pid, ...backends]) process.kill(pid, 'SIGSTOP')
    const body = { client: 'a', changes: [put('hung')] }
    const push = () => server.request('POST', '/v1/push', { body })
    for (const hung of await Promise.all([push(), server.request('GET', '/v1/pull')]))
      expect([hung.status, hung.json.code]).toEqual([503, 'unavailable'])
    for (const pid of [postgres.pid, ...backends]) process.kill(pid, 'SIGCONT')
    await vi.waitFor(async () => expect((await server.request('GET', '/v1/pull')).status).toBe(200), {
      ...{ timeout: 60_000, interval: 50 },
    })
    // Whether or not Postgres did what it had been sent, the same again is taken, and changes
    // nothing the next time.
    expect(['applied', 'duplicate']).toContain((await push()).json.verdicts[0].verdict)
    expect((await push()).json.verdicts[0].verdict).toBe('duplicate')
  })

  /** No file of the process may grow beyond so many bytes: to a database, a full disk. */
  const limitFiles = (pid: number, bytes: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`], statSync(`/proc/${pid}`))
  /** Pushes rows of 400 KB until one is refused; gives that answer and the ids before it. */
  async function fill(server: ServerProcess) {
    for (let n = 0; n < 200; n++) {
      const row = {
        title: `full${n}`,
        notes: randomBytes(300_000).toString('base64'),
      }
      const changes = ['a', 'b', 'c'].map((id) => ({ ...put(`full${n}${id}`), row }))
      const answer = await server.request('POST', '/v1/push', { body: { client: 'a', changes, return: 'lost' } })
      if (answer.status !== 200) return { answer, count: n * 3, changes }
    }
    throw new Error('The disk never got full')
  }

  it.runIf(process.platform === 'linux').each(['libsql file', 'postgres'])(
    'P2 P13 a full disk under %s: 503 with nothing half done, and the same again once there is room',
    async (name) => {
      const postgres = name === 'postgres' ? await database() : undefined
      // Its backends get the limit from the postmaster.
      if (postgres) limitFiles(postgres.pid, 3 << 20)
      const server = await serve({ DATABASE_URL: (await postgres?.createDatabase()) ?? (await file()) })
      if (!postgres) limitFiles(Number(server.process.pid), 3 << 20)
      const { answer, count, changes } = await fill(server)
      expect([answer.status, answer.json.code, answer.json.retryable]).toEqual([503, 'unavailable', true])
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect([...(await idsOf(server))].filter((id) => id?.startsWith('full'))).toHaveLength(count)
      expect(server.output()).not.toMatch(/INSERT|full\d/)
      if (postgres) {
        limitFiles(postgres.pid, 'unlimited')
        for (const pid of backendsOf(postgres)) limitFiles(pid, 'unlimited')
      } else {
        limitFiles(Number(server.process.pid), 'unlimited')
      }
      const again = await server.request('POST', '/v1/push', { body: { client: 'a', changes } })
      expect(again.json.verdicts.map(({ verdict }: { verdict: string }) => verdict)).toEqual(Array(3).fill('applied'))
    },
  )

  it('stops on SIGTERM once what it began is answered, with exit code 0', async () => {
    const server = await serve({ DATABASE_URL: await file() })
    const changes = Array.from({ length: 2_000 }, (_, n) => put(`t${n}`))
    const answers = Array.from({ length: 4 }, (_, n) =>
      server.request('POST', '/v1/push', { sub: `s${n}`, body: { client: 'a', changes } }),
    )
    await new Promise((resolve) => setTimeout(resolve, 150))
    const code = server.stop()
    const settled = await Promise.allSettled(answers)
    expect(settled.some((one) => one.status === 'fulfilled' && one.value.status === 200)).toBe(true)
    for (const one of settled) if (one.status === 'fulfilled') expect(one.value.json.verdicts).toHaveLength(2_000)
    expect(await code).toBe(0)
  })
})
