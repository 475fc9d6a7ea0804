import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/model/limits.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { type ServerProcess, startServer, testSecret } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'

const now = () => Date.now() * 1000
const put = (id: string, row: object = { title: id }, at = now()) => ({ table: 'todos', op: 'put', id, at, row })

describe.each(['libsql', 'postgres'])('the server over HTTP on %s', (dialect) => {
  let server: ServerProcess
  let drop = async () => {}
  beforeAll(async () => {
    const { folder, drop: dropFolder } = await temporaryFolder()
    drop = dropFolder
    const url = dialect === 'libsql' ? `file:${folder}/a.db` : await createDatabase()
    server = await startServer({ DATABASE_URL: url, CORS_ORIGINS: 'https://app.example' })
  })
  afterAll(async () => {
    await server.stop()
    await drop()
  })
  const sync = (body: unknown, options: object = {}) => server.request('POST', '/v1/sync', { body, ...options })

  it('takes a push, answers it, and gives it to another client', async () => {
    const pushed = await sync({ client: 'a', cursor: null, changes: [put('1')] }, { sub: 'http-1' })
    expect(pushed.status).toBe(200)
    expect(pushed.json.verdicts[0]).toMatchObject({
      verdict: 'applied',
      action: 'inserted',
      current: { id: '1', by: 'a', position: 1 },
    })
    expect(pushed.json.changes).toEqual([])
    const pulled = await server.request('GET', '/v1/pull', { sub: 'http-1' })
    expect(pulled.json.changes).toEqual([pushed.json.verdicts[0].current])
    expect(pulled.headers.get('server-timing')).toMatch(/total;dur=.*db;dur=/)
    const after = await server.request('GET', `/v1/pull?cursor=${pushed.json.cursor}`, { sub: 'http-1' })
    expect(after.json).toMatchObject({ changes: [], more: false, cursor: pushed.json.cursor })
  })

  const bad: [string, string, string, object, number, string][] = [
    ['no JSON', 'POST', '/v1/sync', { body: '{"client":' }, 400, 'malformed'],
    ['an empty body', 'POST', '/v1/sync', { body: '' }, 400, 'malformed'],
    ['bytes that are no UTF-8', 'POST', '/v1/sync', { body: new Uint8Array([0x22, 0xff, 0x22]) }, 400, 'malformed'],
    ['an array', 'POST', '/v1/sync', { body: [] }, 400, 'malformed'],
    ['null', 'POST', '/v1/sync', { body: null }, 400, 'malformed'],
    ['an unknown member', 'POST', '/v1/sync', { body: { client: 'a', chnages: [] } }, 400, 'malformed'],
    ['__proto__', 'POST', '/v1/sync', { body: '{"client":"a","__proto__":{}}' }, 400, 'malformed'],
    ['no client', 'POST', '/v1/sync', { body: { changes: [] } }, 400, 'malformed'],
    ['a client with a space', 'POST', '/v1/sync', { body: { client: 'a b' } }, 400, 'malformed'],
    ['a client of 65', 'POST', '/v1/sync', { body: { client: 'a'.repeat(65) } }, 400, 'malformed'],
    ['changes that are no array', 'POST', '/v1/sync', { body: { client: 'a', changes: {} } }, 400, 'malformed'],
    ['limit 0', 'POST', '/v1/sync', { body: { client: 'a', cursor: null, limit: 0 } }, 400, 'malformed'],
    ['limit 5001', 'POST', '/v1/sync', { body: { client: 'a', cursor: null, limit: 5001 } }, 400, 'malformed'],
    ['limit as text', 'POST', '/v1/sync', { body: { client: 'a', cursor: null, limit: '5' } }, 400, 'malformed'],
    ['atomic as text', 'POST', '/v1/sync', { body: { client: 'a', atomic: 'yes' } }, 400, 'malformed'],
    ['return none', 'POST', '/v1/sync', { body: { client: 'a', return: 'none' } }, 400, 'malformed'],
    ['a cursor that is none', 'POST', '/v1/sync', { body: { client: 'a', cursor: 'x' } }, 400, 'invalid_cursor'],
    ['a cursor that is a number', 'POST', '/v1/sync', { body: { client: 'a', cursor: 5 } }, 400, 'malformed'],
    ['a bad cursor in a push', 'POST', '/v1/push', { body: { client: 'a', cursor: 'x' } }, 400, 'invalid_cursor'],
    ['a limit in a push', 'POST', '/v1/push', { body: { client: 'a', limit: 5 } }, 400, 'malformed'],
    ['a bad cursor in a pull', 'GET', '/v1/pull?cursor=x', {}, 400, 'invalid_cursor'],
    ['a limit of 1e3', 'GET', '/v1/pull?limit=1e3', {}, 400, 'malformed'],
    ['two limits', 'GET', '/v1/pull?limit=1&limit=2', {}, 400, 'malformed'],
    ['an unknown parameter', 'GET', '/v1/pull?limti=1', {}, 400, 'malformed'],
    [
      'another type',
      'POST',
      '/v1/sync',
      { body: '{}', headers: { 'Content-Type': 'text/plain' } },
      415,
      'unsupported_media_type',
    ],
    [
      'another charset',
      'POST',
      '/v1/sync',
      { body: '{}', headers: { 'Content-Type': 'application/json; charset=latin1' } },
      415,
      'unsupported_media_type',
    ],
    [
      'an encoding',
      'POST',
      '/v1/sync',
      { body: '{}', headers: { 'Content-Encoding': 'br' } },
      415,
      'unsupported_media_type',
    ],
    ['no token', 'POST', '/v1/sync', { body: {}, headers: { Authorization: '' } }, 401, 'unauthorized'],
    ['another scheme', 'GET', '/v1/pull', { headers: { Authorization: 'Basic eA==' } }, 401, 'unauthorized'],
    ['a wrong route', 'GET', '/v2/pull', {}, 404, 'not_found'],
    ['a wrong method', 'GET', '/v1/sync', {}, 405, 'method_not_allowed'],
    ['a wrong method on pull', 'PUT', '/v1/pull', { body: {} }, 405, 'method_not_allowed'],
    ['another wrong method', 'DELETE', '/health', {}, 405, 'method_not_allowed'],
  ]
  it.each(bad)('refuses %s with a problem', async (_, method, path, options, status, code) => {
    const answer = await server.request(method, path, options)
    expect([answer.status, answer.json?.code]).toEqual([status, code])
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    expect(Object.keys(answer.json)).toEqual(['type', 'title', 'status', 'code', 'detail', 'retryable', 'request_id'])
    expect(answer.headers.get('server-timing')).toMatch(/^total;dur=/)
    if (status === 401) expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    if (status === 405) expect(answer.headers.get('allow')).toBeTruthy()
  })

  it('takes the largest body and the most changes, and refuses one past each with 413', async () => {
    const pad = (bytes: number) => {
      const body = JSON.stringify({ client: 'a', changes: [{ pad: '' }, { pad: '' }] })
      const room = bytes - body.length
      return body
        .replace('""', `"${'x'.repeat(Math.floor(room / 2))}"`)
        .replace('""', `"${'x'.repeat(Math.ceil(room / 2))}"`)
    }
    expect((await sync(pad(limits.bodyBytesMax))).status).toBe(200)
    expect((await sync(pad(limits.bodyBytesMax + 1))).json).toMatchObject({ status: 413, code: 'body_too_large' })
    const most = Array.from({ length: limits.changesMax }, (_, n) => put(`m${n}`))
    const answer = await sync({ client: 'a', changes: most, return: 'lost' }, { sub: 'most' })
    expect(answer.json.verdicts.filter(({ verdict }: { verdict: string }) => verdict === 'applied')).toHaveLength(
      limits.changesMax,
    )
    expect((await sync({ client: 'a', changes: [...most, put('one more')] }, { sub: 'most' })).json).toMatchObject({
      status: 413,
      code: 'too_many_changes',
    })
    const page = await server.request('GET', `/v1/pull?limit=${limits.pageRowsMax}`, { sub: 'most' })
    expect([page.json.changes.length, page.json.more]).toEqual([limits.pageRowsMax, false])
  })

  it('P12 answers bodies that are nested beyond any stack, each change for itself', async () => {
    const nest = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
    const change = (member: string) => `{"table":"todos","op":"put","id":"1","at":${now()},${member}}`
    const deep = nest(300_000)
    const changes = [
      deep,
      change(`"row":{"title":${deep}}`),
      change(`"row":{"x":${deep}}`),
      change(`"scope":${deep}`),
      change('"row":{"title":"fine"}'),
    ]
    const answer = await sync(`{"client":"a","changes":[${changes.join(',')}]}`, { sub: 'deep' })
    expect(
      answer.json.verdicts.map(
        ({ verdict, error }: { verdict: string; error?: { code: string } }) => error?.code ?? verdict,
      ),
    ).toEqual(['invalid_change', 'invalid_value', 'unknown_column', 'invalid_change', 'applied'])
    expect((await sync(nest(1_000_000))).json.code).toBe('malformed')
    expect((await sync('['.repeat(1_000_000))).json.code).toBe('malformed')
  })

  it('refuses a body that grows past the limit while it arrives, without Content-Length', async () => {
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    const token = await signToken(testSecret, { sub: 'alice' })
    socket.write(
      `POST /v1/sync HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    const chunk = `${(65_536).toString(16)}\r\n${' '.repeat(65_536)}\r\n`
    let answer = ''
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text
    })
    socket.on('error', () => {})
    for (let n = 0; n < 80 && answer === '' && !socket.destroyed; n++) {
      await new Promise((resolve) => socket.write(chunk, resolve))
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (let n = 0; n < 100 && answer === ''; n++) await new Promise((resolve) => setTimeout(resolve, 20))
    socket.destroy()
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
  })

  it('refuses tokens that are expired, unsigned, of another key or algorithm, or without sub or exp', async () => {
    const { SignJWT, UnsecuredJWT, generateKeyPair } = await import('jose')
    const key = new TextEncoder().encode(testSecret)
    const token = (claims: object, alg = 'HS256', by: Uint8Array = key) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg }).sign(by)
    const exp = Math.floor(Date.now() / 1000) + 100
    const { privateKey } = await generateKeyPair('ES256')
    const tokens = {
      expired: await token({ sub: 'a', exp: exp - 200 }),
      'not yet valid': await token({ sub: 'a', exp, nbf: exp }),
      'no exp': await token({ sub: 'a' }),
      'no sub': await token({ exp }),
      'a number as sub': await token({ sub: 5, exp }),
      'an empty sub': await token({ sub: '', exp }),
      'another key': await token({ sub: 'a', exp }, 'HS256', new TextEncoder().encode('x'.repeat(32))),
      'another algorithm': await token({ sub: 'a', exp }, 'HS512', new TextEncoder().encode('x'.repeat(64))),
      'another kind of key': await new SignJWT({ sub: 'a', exp }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey),
      unsigned: new UnsecuredJWT({ sub: 'a', exp }).encode(),
      'scopes that are no array': await token({ sub: 'a', exp, scopes: 'b' }),
      'scopes of another form': await token({ sub: 'a', exp, scopes: [{ id: 'b', access: 'admin' }] }),
      garbage: 'x.y.z',
    }
    for (const [name, value] of Object.entries(tokens)) {
      const answer = await server.request('GET', '/v1/pull', { headers: { Authorization: `Bearer ${value}` } })
      expect([answer.status, answer.json.code], name).toEqual([401, 'unauthorized'])
      expect(answer.text).not.toContain(value)
    }
    const fine = await token({ sub: 'a', exp: Math.floor(Date.now() / 1000) - 10 })
    expect((await server.request('GET', '/v1/pull', { headers: { Authorization: `bearer ${fine}` } })).status).toBe(200)
    const longest = await sync(
      { client: 'c'.repeat(64), cursor: null, limit: 1, changes: [put('x'.repeat(128))] },
      { sub: 'x'.repeat(128) },
    )
    expect(longest.json.verdicts).toMatchObject([{ verdict: 'applied' }])
  })

  it('P11 keeps scopes apart: no foreign row, no difference between a scope that exists and one that does not', async () => {
    await sync({ client: 'a', changes: [put('secret', { title: 'canary' })] }, { sub: 'owner' })
    const thief = { sub: 'thief', scopes: [{ id: 'readable', access: 'read' as const }] }
    const answers = await sync(
      {
        client: 'a',
        cursor: null,
        changes: ['owner', 'nowhere', 'readable', 'x'.repeat(128)].map((scope) => ({ ...put('secret'), scope })),
      },
      thief,
    )
    const [first, ...others] = answers.json.verdicts
    expect(first).toMatchObject({
      verdict: 'rejected',
      error: { code: 'forbidden_scope', retryable: 'with_another_token' },
    })
    for (const other of others) expect(other).toEqual(first)
    expect(answers.text).not.toContain('canary')
    const { json } = await sync({ client: 'a', cursor: null }, { sub: 'owner' })
    const stolen = await server.request('GET', `/v1/pull?cursor=${json.cursor}`, thief)
    expect(stolen.json).toMatchObject({ changes: [], removed_scopes: ['owner'] })
  })

  it('allows the browser origins of the list and no others, on errors as well', async () => {
    for (const [origin, allowed] of [
      ['https://app.example', 'https://app.example'],
      ['https://evil.example', null],
    ] as const) {
      const preflight = await server.request('OPTIONS', '/v1/sync', {
        headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' },
      })
      expect(preflight.headers.get('access-control-allow-origin')).toBe(allowed)
      const denied = await server.request('GET', '/v1/pull', { headers: { Origin: origin, Authorization: '' } })
      expect([denied.status, denied.headers.get('access-control-allow-origin')]).toEqual([401, allowed])
    }
  })

  it('streams all pages as NDJSON: a change a line, a cursor line that goes on from a cut', async () => {
    const total = 2_345
    const changes = Array.from({ length: total }, (_, n) => put(`s${n}`, { title: `},{"scope":"x" \n ${n}` }))
    await sync({ client: 'a', changes }, { sub: 'stream' })
    const lines = async (query: string) => {
      const answer = await server.request('GET', `/v1/pull${query}`, {
        sub: 'stream',
        headers: { Accept: 'application/x-ndjson' },
      })
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson; charset=utf-8'])
      return answer.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
    }
    const all = await lines('')
    const rows = all.filter((line) => 'table' in line)
    expect(rows.map(({ position }) => position)).toEqual(Array.from({ length: total }, (_, n) => n + 1))
    const marks = all.filter((line) => 'cursor' in line)
    expect(marks.map(({ more }) => more)).toEqual([true, true, false])
    expect(all.at(-1)).toEqual(marks.at(-1))
    const rest = await lines(`?cursor=${marks[0].cursor}`)
    expect(rest.filter((line) => 'table' in line)).toEqual(rows.slice(1000))
    const bad = await server.request('GET', '/v1/pull?cursor=x', { headers: { Accept: 'application/x-ndjson' } })
    expect([bad.status, bad.json.code]).toEqual([400, 'invalid_cursor'])
  })

  it('answers /health', async () => {
    expect((await server.request('GET', '/health')).json).toEqual({ status: 'ok' })
  })
})
