import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { signToken } from '../../src/runtime/sign-token.ts'
import { listenByEvents } from '../support/live.ts'
import { type ServerProcess, startServer, testSecret } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'

const put = (id: string, row: object = { title: id }) => ({ table: 'todos', op: 'put', id, at: Date.now() * 1000, row })
// biome-ignore lint/suspicious/noExplicitAny: lines of every form
type Line = Record<string, any>

describe('the log of the server', () => {
  let server: ServerProcess
  let folder: string
  let drop = async () => {}
  beforeAll(async () => {
    ;({ folder, drop } = await temporaryFolder())
    server = await startServer({ DATABASE_URL: `file:${folder}/a.db`, CORS_ORIGINS: 'https://app.example' })
  })
  afterAll(async () => {
    await server.stop()
    await drop()
  })

  const logged = (): Line[] =>
    server
      .output()
      .split('\n')
      .slice(0, -1)
      .filter((line) => !/^(Migrated|driftline listens)/.test(line))
      .map((line) => JSON.parse(line))
  /** The line of one answer. It is written after the answer. */
  async function lineOf(answer: { headers: Headers }): Promise<Line> {
    const id = answer.headers.get('x-request-id')
    for (;;) {
      const lines = logged().filter((line) => line.request_id === id)
      if (lines[0]) return lines[0]
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const sync = (body: unknown, options: object = {}) => server.request('POST', '/v1/sync', { body, ...options })

  it('has a line for a sync: who by a hash, how long, and what became of the changes', async () => {
    const stamp = Date.now() * 1000
    await sync({ client: 'b', changes: [put('4')] }, { sub: 'ann' })
    const changes = [
      put('1'),
      { ...put('2'), at: stamp },
      { ...put('2'), at: stamp },
      { ...put('4'), at: stamp - 1e6 },
      { ...put('3'), op: 'x' },
    ]
    const line = await lineOf(await sync({ client: 'a', cursor: null, changes: [...changes, 5] }, { sub: 'ann' }))
    expect(line).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      level: 'info',
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      method: 'POST',
      route: '/v1/sync',
      status: 200,
      duration_ms: expect.any(Number),
      database_ms: expect.any(Number),
      changes: 6,
      verdicts: { applied: 2, duplicate: 1, stale: 1, rejected: 2 },
      rejected: { unknown_op: 1, invalid_change: 1 },
      rows: 1,
      scopes: 1,
      scope_hash: createHash('sha256').update('ann').digest('hex').slice(0, 16),
    })
    expect(line.duration_ms).toBeGreaterThan(0)
    expect(line.database_ms).toBeGreaterThan(0)
    const pull = await lineOf(await server.request('GET', '/v1/pull?limit=1', { sub: 'ann', scopes: ['b', 'c'] }))
    expect(pull).toMatchObject({ method: 'GET', route: '/v1/pull', rows: 1, scopes: 3, scope_hash: line.scope_hash })
  })

  it.each<[string, string, string, object, object]>([
    ['HEAD', 'HEAD', '/v1/pull', {}, { method: 'HEAD', route: '/v1/pull', status: 200 }],
    [
      'HEAD of a stream',
      'HEAD',
      '/v1/pull',
      { headers: { Accept: 'application/x-ndjson' } },
      { method: 'HEAD', status: 200 },
    ],
    ['an unknown path', 'GET', '/v1/nothing', {}, { route: '*', status: 404, code: 'not_found' }],
    ['another method', 'PATCH', '/v1/sync', {}, { method: 'PATCH', route: '/v1/sync', status: 405 }],
    ['a method that HTTP hardly knows', 'PROPFIND', '/health', {}, { method: '*', route: '/health', status: 405 }],
    [
      'OPTIONS',
      'OPTIONS',
      '/v1/push',
      { headers: { Origin: 'https://app.example', 'Access-Control-Request-Method': 'POST' } },
      { method: 'OPTIONS', route: '/v1/push', status: 204 },
    ],
    ['health', 'GET', '/health', {}, { route: '/health', status: 200 }],
    [
      'no token',
      'POST',
      '/v1/push',
      { body: {}, headers: { Authorization: '' } },
      { status: 401, code: 'unauthorized', scopes: 0, changes: 0 },
    ],
    ['a malformed body', 'POST', '/v1/push', { body: [] }, { status: 400, code: 'malformed', scopes: 1 }],
  ])('has one line for %s', async (_, method, path, options, expected) => {
    const answer = await server.request(method, path, options)
    const line = await lineOf(answer)
    expect(line).toMatchObject({ level: 'info', duration_ms: expect.any(Number), ...expected })
    expect(logged().filter(({ request_id }) => request_id === line.request_id)).toHaveLength(1)
    expect('changes' in line).toBe('scopes' in line)
  })

  it('has the line of a stream at its end, with what was streamed, also where the client leaves', async () => {
    const changes = Array.from({ length: 5_000 }, (_, n) => put(`s${n}`, { title: 'x'.repeat(500) }))
    await sync({ client: 'a', changes, return: 'lost' }, { sub: 'stream' })
    const headers = { Accept: 'application/x-ndjson' }
    const whole = await server.request('GET', '/v1/pull?limit=1000', { sub: 'stream', headers })
    const line = await lineOf(whole)
    expect(line).toMatchObject({ status: 200, rows: 5_000, bytes: whole.text.length })
    expect(line.duration_ms).toBeGreaterThan(
      Number(/total;dur=(\S+),/.exec(whole.headers.get('server-timing') ?? '')?.[1]),
    )
    expect(line).not.toHaveProperty('aborted')

    const Authorization = `Bearer ${await signToken(testSecret, { sub: 'stream' })}`
    const leave = new AbortController()
    const cut = await fetch(`${server.url}/v1/pull?limit=100`, {
      headers: { ...headers, Authorization },
      signal: leave.signal,
    })
    await cut.body?.getReader().read()
    leave.abort()
    const cutLine = await lineOf(cut)
    expect(cutLine).toMatchObject({ level: 'info', status: 200, aborted: true })
    expect(cutLine.rows).toBeLessThan(5_000)
  })

  it('has the line of an event stream at its end: cut where the client leaves, whole where the server closes it', async () => {
    const open = (seconds: number) => listenByEvents(server.url, { sub: 'events', seconds })
    const live = () => logged().filter(({ route }) => route === '/v1/live')
    const left = await open(60)
    const closed = await open(1)
    await sync({ client: 'a', changes: [put('e1')] }, { sub: 'events' })
    await left.reached('events', 1)
    expect(live()).toEqual([])
    left.close()
    await vi.waitFor(() => expect(live()).toHaveLength(1))
    expect(live()[0]).toMatchObject({ level: 'info', method: 'GET', status: 200, aborted: true })
    expect((await closed.closed).code).toBe(4401)
    await vi.waitFor(() => expect(live()).toHaveLength(2))
    expect(live()[1]).not.toHaveProperty('aborted')
    expect(live()[1]?.duration_ms).toBeGreaterThan(500)
  })

  it('P11 never repeats what a caller sent, however hostile, and stays one line of JSON a request', async () => {
    const canary = 'cAnArY'
    const nasty = `${canary}\r\n{"level":"forged"}\u2028"\u0000`
    const place = encodeURIComponent(nasty)
    const token = await signToken(testSecret, { sub: `${canary}-sub`, scopes: [`${canary}-scope`] })
    const headers = { Authorization: `Bearer ${token}`, 'User-Agent': canary, 'X-Request-Id': canary, Cookie: canary }
    const requests: [string, string, unknown?, object?][] = [
      ['GET', `/${place}`],
      ['GET', `/v1/pull?${place}=${place}`],
      ['GET', `/v1/pull?cursor=${place}`],
      ['GET', `/v1/pull?limit=${place}`],
      ['POST', `/v1/sync/${place}`, {}],
      ['POST', '/v1/sync', `{"${canary}`],
      ['POST', '/v1/sync', { client: nasty }],
      ['POST', '/v1/sync', { client: canary, [nasty]: 1 }],
      ['POST', '/v1/sync', { client: canary, cursor: nasty }],
      ['POST', '/v1/sync', {}, { 'Content-Type': canary }],
      ['POST', '/v1/sync', {}, { 'Content-Encoding': canary }],
      ['POST', '/v1/push', {}, { Authorization: `Bearer ${canary}.x.y` }],
      ['POST', '/v1/push', {}, { Authorization: canary }],
      ['OPTIONS', '/v1/push', undefined, { Origin: `https://${canary}.example` }],
      [
        'POST',
        '/v1/sync',
        {
          client: canary,
          changes: [
            put(canary, { title: nasty.replaceAll('\u0000', '') }),
            put(canary, { title: nasty }),
            put(nasty),
            put('x', { [nasty]: 1 }),
            { ...put('x'), table: nasty },
            { ...put('x'), op: nasty },
            { ...put('x'), at: nasty },
            { ...put('x'), scope: nasty },
            { ...put('x'), [nasty]: 1 },
            nasty,
          ],
        },
      ],
    ]
    const before = logged().length
    for (const [method, path, body, more] of requests) {
      await lineOf(await server.request(method, path, { body, headers: { ...headers, ...more } }))
    }
    expect(logged()).toHaveLength(before + requests.length)
    expect(server.output().toLowerCase()).not.toContain(canary.toLowerCase())
    expect(server.output()).not.toMatch(/forged|eyJ/)
    expect(logged().at(-1)?.verdicts).toEqual({ applied: 1, duplicate: 0, stale: 0, rejected: 9 })
  })

  it('says of a failure of its own what lay behind it, in the same one line', async () => {
    const { createClient } = await import('@libsql/client/sqlite3')
    const client = createClient({ url: `file:${folder}/a.db` })
    await client.execute('ALTER TABLE lists RENAME TO lists_away')
    try {
      const answer = await server.request('GET', '/v1/pull', { sub: 'ann' })
      expect(answer.status).toBe(500)
      expect(await lineOf(answer)).toMatchObject({
        level: 'error',
        status: 500,
        code: 'internal',
        fault: 'broken',
        fault_code: 'SQLITE_ERROR',
        database_ms: expect.any(Number),
      })
      expect(server.output()).not.toMatch(/lists|SELECT|\n\s+at /)
    } finally {
      await client.execute('ALTER TABLE lists_away RENAME TO lists')
      client.close()
    }
  })
})
