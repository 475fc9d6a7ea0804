import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { type HoldProxy, startHoldProxy } from '../support/hold-proxy.ts'
import { putNow } from '../support/pushing.ts'
import { request, type ServerProcess, startServer } from '../support/server.ts'
import { createDatabase } from '../support/stores.ts'
import { signedHeaders, webhookSecret } from '../support/webhook.ts'

/**
 * Between a commit and its answer: Postgres' answer is held back until the rows are seen by another
 * session, and then the server is killed, or the connection cut. What the client does next is to
 * send the same again.
 */
describe('what is committed and not answered, on Postgres', () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  let database = ''
  let proxy: HoldProxy
  let session: pg.Client

  async function serve(url: string): Promise<ServerProcess> {
    const server = await startServer({
      DATABASE_URL: url,
      WEBHOOK_SECRETS: JSON.stringify({ crm: webhookSecret }),
    })
    cleanups.push(() => server.stop('SIGKILL'))
    return server
  }
  /** A server whose Postgres is behind the proxy, with a connection that is open already. */
  async function serveHeld(): Promise<ServerProcess> {
    database = await createDatabase()
    proxy = await startHoldProxy(Number(new URL(database).port))
    cleanups.push(() => proxy.close())
    session = new pg.Client({ connectionString: database })
    await session.connect()
    cleanups.push(() => session.end())
    const through = new URL(database)
    through.port = String(proxy.port)
    const server = await serve(through.href)
    const body = { client: 'a', changes: [putNow('before')] }
    expect((await server.request('POST', '/v1/push', { body })).status).toBe(200)
    return server
  }
  const rowsOf = async () =>
    (await session.query('SELECT scope, id, position::int, updated_by FROM todos ORDER BY scope, position')).rows
  /** Waits until another session sees the rows of all entries, committed. */
  async function untilStored(): Promise<void> {
    while ((await rowsOf()).length < 1 + 3 * ids.length) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  const ids = ['x', 'y', 'z']
  const changes = ids.map(putNow)
  /**
   * The same to each entry, into a scope of its own; what comes back, or nothing from a server that
   * is gone.
   */
  async function sendAll({ url }: ServerProcess): Promise<{ status: number; verdicts: string[] }[] | undefined> {
    const stampless = ids.map((id) => ({ table: 'todos', op: 'put', id, row: { title: id } }))
    const hook = JSON.stringify({ scope: 'webhook', changes: stampless })
    const answers = await Promise.all([
      request(url, 'POST', '/v1/push', { sub: 'push', body: { client: 'p', changes } }),
      request(url, 'POST', '/v1/sync', { sub: 'sync', body: { client: 'p', cursor: null, changes } }),
      request(url, 'POST', '/v1/webhooks/crm', { body: hook, headers: signedHeaders(hook, 'once') }),
    ]).catch(() => undefined)
    return answers?.map(({ status, json }) => ({
      status,
      verdicts: json.verdicts?.map(({ verdict }: { verdict: string }) => verdict),
    }))
  }
  const answered = (...verdicts: string[]) =>
    verdicts.map((verdict) => ({ status: 200, verdicts: ids.map(() => verdict) }))
  // A webhook that comes again is answered as it was.
  const repeated = answered('duplicate', 'duplicate', 'applied')

  it('P2 P5 P13 P14 the server is killed between a commit and its answer: the same again changes nothing', async () => {
    const server = await serveHeld()
    proxy.hold('down', 'COMMIT')
    const lost = sendAll(server)
    await untilStored()
    await proxy.holds(3)
    await server.stop('SIGKILL')
    expect(await lost).toBeUndefined()
    const stored = await rowsOf()
    expect(await sendAll(await serve(database))).toEqual(repeated)
    expect(await rowsOf()).toEqual(stored)
  })

  it('P2 P5 P13 P14 the connection is cut between a commit and its answer: 503, and the same again changes nothing', async () => {
    const server = await serveHeld()
    proxy.hold('down', 'COMMIT')
    const lost = sendAll(server)
    await untilStored()
    await proxy.holds(3)
    proxy.cut()
    expect((await lost)?.map(({ status }) => status)).toEqual([503, 503, 503])
    const stored = await rowsOf()
    expect(await sendAll(server)).toEqual(repeated)
    expect(await rowsOf()).toEqual(stored)
    expect(server.output()).not.toMatch(/INSERT|SELECT/)
  })

  it('P2 P5 P13 P14 the server is killed before Postgres has what it sent: nothing is there, and the same again is applied', async () => {
    const server = await serveHeld()
    proxy.hold('up', 'INSERT INTO driftline_scopes')
    const lost = sendAll(server)
    await proxy.holds(3)
    await server.stop('SIGKILL')
    expect(await lost).toBeUndefined()
    expect(await rowsOf()).toHaveLength(1)
    expect(await sendAll(await serve(database))).toEqual(answered('applied', 'applied', 'applied'))
    await untilStored()
  })
})
