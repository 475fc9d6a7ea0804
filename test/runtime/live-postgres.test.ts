import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listenByEvents, listenBySocket, put, quiet } from '../support/live.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { type ServerProcess, startServer } from '../support/server.ts'

describe('pokes between two processes on one Postgres', () => {
  let postgres: Postgres
  let url = ''
  let servers: [ServerProcess, ServerProcess]
  beforeAll(async () => {
    postgres = await startPostgres()
    url = await postgres.createDatabase()
    servers = [await startServer({ DATABASE_URL: url }), await startServer({ DATABASE_URL: url })]
  })
  afterAll(async () => {
    for (const server of servers) await server.stop()
    await postgres.stop()
  })
  const push = (server: ServerProcess, changes: object[], sub: string, scopes: string[] = []) =>
    server.request('POST', '/v1/push', { body: { client: 'a', changes }, sub, scopes })

  it('P15 reach a principal at the other process once, and P11 no foreign one', async () => {
    const odd = 'team "\\\' é€😀'.repeat(9)
    const sub = 'alice'
    const near = await listenBySocket(servers[0].url, { sub, scopes: [odd] })
    const far = await listenByEvents(servers[1].url, { sub, scopes: [odd] })
    const foreign = await listenBySocket(servers[1].url, { sub: 'bob' })
    await push(servers[0], [put('1'), put('1', { scope: odd }), put('2', { scope: odd })], sub, [odd])
    for (const listener of [near, far]) {
      await listener.reached(sub, 1)
      await listener.reached(odd, 2)
    }
    await quiet()
    for (const listener of [near, far]) expect(listener.pokes).toHaveLength(2)
    expect(foreign.received).toEqual([])
    for (const listener of [near, far, foreign]) listener.close()
  })

  it('are few when the pushes are many, and the last one tells the final position', async () => {
    const sub = 'carol'
    const far = await listenBySocket(servers[1].url, { sub })
    const began = Date.now()
    await Promise.all(Array.from({ length: 200 }, (_, n) => push(servers[0], [put(`${n}`)], sub)))
    const moments = Math.ceil((Date.now() - began) / 50)
    await far.reached(sub, 200)
    await quiet()
    expect(far.pokes.at(-1)).toEqual({ scope: sub, position: 200 })
    expect(far.pokes.length).toBeLessThanOrEqual(moments + 3)
    far.close()
  })

  it('ignore what others send on the channel', async () => {
    const sub = 'dave'
    const far = await listenBySocket(servers[1].url, { sub })
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    for (const payload of ['', 'x', 'null', '[]', '{"scope":7,"position":1}', '{"scope":"dave","position":"1"}'])
      await client.query('SELECT pg_notify($1, $2)', ['driftline_poke', payload])
    await client.end()
    await push(servers[0], [put('1')], sub)
    await far.reached(sub, 1)
    expect(far.pokes).toEqual([{ scope: sub, position: 1 }])
    far.close()
  })

  it('come back when the connection that listens was cut, and when Postgres was restarted', async () => {
    const sub = 'erin'
    const far = await listenBySocket(servers[1].url, { sub })
    let n = 0
    /** Pushes until the other process tells of it: what was lost meanwhile, a client pulls. */
    async function toldAgain(): Promise<void> {
      const deadline = Date.now() + 20_000
      const before = far.pokes.length
      while (far.pokes.length === before && Date.now() < deadline) {
        await push(servers[0], [put(`${n++}`)], sub).catch(() => undefined)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      expect(far.pokes.length).toBeGreaterThan(before)
    }
    await toldAgain()
    const admin = new pg.Client({ connectionString: url })
    await admin.connect()
    const cut = await admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'driftline live'",
    )
    expect(cut.rowCount).toBe(2)
    await admin.end()
    await toldAgain()
    await postgres.restart()
    await toldAgain()
    await quiet()
    const { json } = await servers[1].request('GET', '/v1/pull', { sub })
    expect(far.pokes.at(-1)?.position).toBe(json.changes.at(-1).position)
    far.close()
    // Of each loss a line, and of each return, however often it was tried in between.
    const lines = servers[1].output().match(/^.*"where":"live".*$/gm) ?? []
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'error', fault: 'transient', fault_code: '57P01' },
      { level: 'info', away_ms: expect.any(Number) },
      { level: 'error', fault: 'transient' },
      { level: 'info', away_ms: expect.any(Number) },
    ])
  })
})
