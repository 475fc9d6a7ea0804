import { afterEach, describe, expect, it } from 'vitest'
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

  it('P2 nothing acknowledged is lost when the server is killed in the middle of pushes, on a file', async () => {
    const url = await file()
    const acknowledged: string[] = []
    for (let round = 0; round < 3; round++) {
      const server = await serve({ DATABASE_URL: url })
      const writers = [pushing([server], `a${round}`), pushing([server], `b${round}`)]
      await until(() => writers.every((writer) => writer.acknowledged.length >= 100))
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
    await until(() => writers.every((writer) => writer.acknowledged.length >= 400))
    const outcomes = await Promise.all(writers.map((writer) => writer.stop()))
    for (const { refused } of outcomes) expect([...refused]).toEqual([])
    const ids = await idsOf(servers[0] as ServerProcess)
    for (const { acknowledged } of outcomes) expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
  })

  it('P2 P13 Postgres is killed in the middle of pushes: 503 meanwhile, then answers by itself, nothing acknowledged is lost', async () => {
    const postgres = await database()
    const server = await serve({ DATABASE_URL: await postgres.createDatabase() })
    const writers = ['a', 'b', 'c'].map((writer) => pushing([server], writer))
    for (let round = 1; round <= 2; round++) {
      await until(() => writers.every((writer) => writer.acknowledged.length >= round * 100))
      postgres.kill('SIGKILL')
      const away = await server.request('POST', '/v1/push', { body: { client: 'd', changes: [put(`away${round}`)] } })
      expect([away.status, away.json.code, away.json.retryable]).toEqual([503, 'unavailable', true])
      expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0)
      await postgres.restart()
    }
    await until(() => writers.every((writer) => writer.acknowledged.length >= 300))
    const outcomes = await Promise.all(writers.map((writer) => writer.stop()))
    const ids = await idsOf(server)
    for (const { acknowledged, refused } of outcomes) {
      expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
      expect([...refused].filter((status) => status !== 503)).toEqual([])
    }
    expect(ids.has('away1')).toBe(false)
    expect(server.output()).not.toMatch(/INSERT|SELECT|password/)
  })

  it('P13 a database that hangs is given up with 503 within the deadline, and used again once it answers', async () => {
    const postgres = await database()
    const server = await serve({ DATABASE_URL: await postgres.createDatabase() })
    expect((await server.request('POST', '/v1/push', { body: { client: 'a', changes: [put('before')] } })).status).toBe(
      200,
    )
    const { execFileSync } = await import('node:child_process')
    const backends = execFileSync('ps', ['-o', 'pid=', '--ppid', String(postgres.pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/)
      .map(Number)
    for (const pid of [postgres.pid, ...backends]) process.kill(pid, 'SIGSTOP')
    const began = Date.now()
    const hung = await server.request('GET', '/v1/pull')
    expect([hung.status, hung.json.code]).toEqual([503, 'unavailable'])
    expect(Date.now() - began).toBeLessThan(15_000)
    for (const pid of [postgres.pid, ...backends]) process.kill(pid, 'SIGCONT')
    for (let status = 0; status !== 200; ) status = (await server.request('GET', '/v1/pull')).status
  })

  it('stops on SIGTERM once what it began is answered, with exit code 0', async () => {
    const server = await serve({ DATABASE_URL: await file() })
    const changes = Array.from({ length: 5_000 }, (_, n) => put(`t${n}`))
    const answers = Array.from({ length: 4 }, (_, n) =>
      server.request('POST', '/v1/push', { sub: `s${n}`, body: { client: 'a', changes } }),
    )
    await new Promise((resolve) => setTimeout(resolve, 150))
    const code = server.stop()
    const settled = await Promise.allSettled(answers)
    expect(settled.some((one) => one.status === 'fulfilled' && one.value.status === 200)).toBe(true)
    for (const one of settled) if (one.status === 'fulfilled') expect(one.value.json.verdicts).toHaveLength(5_000)
    expect(await code).toBe(0)
  })
})
