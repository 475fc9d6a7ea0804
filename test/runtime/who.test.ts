import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket as WsSocket } from 'ws'
import { issuer, type KeySet, publishKeys } from '../programs/tokens/key-set.ts'
import { claimsOf, makeToken, ourSecret } from '../programs/tokens/keys.ts'
import { startVerifier, type Verifier, verifierKinds } from '../programs/tokens/verifier.ts'

const at = () => Date.now() * 1000
const put = (id: string, more: object = {}) => ({
  ...{ table: 'todos', op: 'put', id, at: at(), row: { title: id } },
  ...more,
})

interface Asked {
  readonly headers?: Record<string, string>
  readonly body?: string | object
}

async function ask({ url }: Verifier, token: string, path: string, { headers = {}, body }: Asked = {}) {
  const answer = await fetch(`${url}${path}`, {
    ...(body !== undefined && { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, text, json: text.startsWith('{') ? JSON.parse(text) : {} }
}
const push = (server: Verifier, token: string, ...changes: object[]) =>
  ask(server, token, '/v1/push', { body: { client: 'phone', changes } })
const idsOf = async (server: Verifier, token: string) =>
  (await ask(server, token, '/v1/pull')).json.changes.map(({ id }: { id: string }) => id)

describe.each(verifierKinds)('who is who in %s', (kind) => {
  let keySet: KeySet
  let plain: Verifier
  let set: Verifier
  let byKeys: Verifier
  beforeAll(async () => {
    keySet = await publishKeys()
    const keys = { AUTH_SECRET: '', AUTH_JWKS_URL: keySet.url }
    const claims = { AUTH_SCOPES_CLAIM: 'org:{o.id},[https://example.com/teams]', AUTH_SUB_CLAIM: 'user.id' }
    const origins = { CORS_ORIGINS: 'capacitor://localhost,https://*.preview.example', CORS_HEADERS: 'X-App' }
    ;[plain, byKeys, set] = await Promise.all([
      startVerifier(kind, origins),
      startVerifier(kind, keys),
      startVerifier(kind, { ...keys, ...claims, AUTH_ISSUER: 'https://issuer.example' }),
    ])
  }, 180_000)
  afterAll(async () => {
    await Promise.all([plain, set, byKeys].map((server) => server?.close()))
    await keySet.close()
  })

  it('P11 a sub that cannot be a scope is 401 on every route, and nothing of it reaches another scope', async () => {
    const team = `team-${crypto.randomUUID()}`
    const member = makeToken(ourSecret, claimsOf({ sub: 'ben', scopes: [team] }))
    const line = JSON.stringify(put('imported'))
    for (const sub of ['x'.repeat(129), 'a\u0000b', 'a\u0085', '\ud800']) {
      const token = makeToken(ourSecret, claimsOf({ sub, scopes: [team] }))
      const body = { client: 'phone', cursor: null, changes: [put('diary')] }
      const ways: readonly (readonly [string, Asked])[] = [
        ['/v1/push', { body: { client: 'phone', changes: [put('diary')] } }],
        ['/v1/sync', { body }],
        ['/v1/import?table=todos', { body: line, headers: { 'Content-Type': 'application/x-ndjson' } }],
        ['/v1/pull', {}],
        ['/v1/pull', { headers: { Accept: 'application/x-ndjson' } }],
        [`/v1/live?scope=${team}`, { headers: { Accept: 'text/event-stream' } }],
      ]
      for (const [path, asked] of ways) {
        const answer = await ask(plain, token, path, asked)
        expect([answer.status, answer.json.detail], path).toEqual([401, expect.stringMatching(/claim sub .*128/)])
      }
      const socket = new WsSocket(`${plain.url.replace('http', 'ws')}/v1/live`, ['driftline', `bearer.${token}`])
      const status = await new Promise((resolve) => {
        socket.on('open', () => resolve(101))
        socket.on('unexpected-response', (_, response) => resolve(response.statusCode))
      })
      expect(status).toBe(401)
    }
    expect(await idsOf(plain, member)).toEqual([])
  })

  it('P11 permissions of OAuth share no rows, by a secret and by keys', async () => {
    const claims = (sub: string) =>
      claimsOf({ sub, scopes: ['*', 'read-orders', 'orders'], scope: 'read-orders openid' })
    const [signer] = issuer
    for (const [server, by] of [
      [plain, ourSecret],
      [byKeys, signer ?? ourSecret],
    ] as const) {
      const [ana, eve] = ['ana', 'eve'].map((name) => makeToken(by, claims(`${name}-${crypto.randomUUID()}`)))
      const scopes = ['*', 'read-orders', 'orders', 'openid']
      const pushed = await push(server, eve ?? '', ...scopes.map((scope) => put(scope, { scope })), put('own'))
      expect(
        pushed.json.verdicts.map(({ verdict, error }: Record<string, { code?: string }>) => error?.code ?? verdict),
      ).toEqual([...scopes.map(() => 'forbidden_scope'), 'applied'])
      expect(await idsOf(server, ana ?? '')).toEqual([])
      expect(await idsOf(server, eve ?? '')).toEqual(['own'])
    }
    const both = makeToken(issuer[0] ?? ourSecret, claimsOf({ sub: 'ana', scopes: ['team:9'] }))
    expect((await push(byKeys, both, put('1', { scope: 'team:9' }))).json.verdicts[0].error.code).toBe(
      'forbidden_scope',
    )
    expect(byKeys.log()).toMatch(/AUTH_ISSUER is not set.*AUTH_AUDIENCE is not set/s)
    expect(byKeys.log()).toMatch(/level\W+warning.*AUTH_SCOPES_CLAIM/)
    expect(plain.log()).toMatch(/level\W+warning.*AUTH_SCOPES_CLAIM/)
  })

  it('takes the claims that the settings name, and an edit of another organisation once its token comes', async () => {
    const [signer = ourSecret] = issuer
    const id = crypto.randomUUID()
    const tokenOf = (org: object) => {
      const claims = claimsOf({ iss: 'https://issuer.example', user: { id: `ana-${id}` }, ...org })
      return makeToken(signer, { ...claims, sub: 'nobody', scopes: ['everyone'] })
    }
    const first = tokenOf({ o: { id: `a${id}` } })
    const edits = [put('1', { scope: `org:a${id}` }), put('2', { scope: `org:b${id}` }), put('3')]
    const { verdicts } = (await push(set, first, ...edits)).json
    expect(verdicts).toMatchObject([
      { verdict: 'applied', current: { scope: `org:a${id}` } },
      { verdict: 'rejected', error: { code: 'forbidden_scope', retryable: 'with_another_token' } },
      { verdict: 'applied', current: { scope: `ana-${id}` } },
    ])
    const second = tokenOf({ o: { id: `b${id}` }, 'https://example.com/teams': [`t-${id}`] })
    const parked = await push(set, second, edits[1] ?? {}, put('4', { scope: `t-${id}` }))
    expect(parked.json.verdicts).toMatchObject([{ verdict: 'applied' }, { verdict: 'applied' }])
    for (const scope of ['x'.repeat(129), 'a\n', '', '\ud800'])
      expect((await push(set, second, put('5', { scope }))).json.verdicts).toMatchObject([
        { verdict: 'rejected', error: { code: 'invalid_change', retryable: false } },
      ])
    const odd = await ask(set, tokenOf({ o: { id: '' } }), '/v1/pull')
    expect([odd.status, odd.json.detail]).toEqual([401, expect.stringMatching(/claim org:\{o\.id\}/)])
    expect(set.log()).not.toMatch(/AUTH_ISSUER is not set/)
  })

  it('lets the pages of apps call and listen, and no others', async () => {
    const token = makeToken(ourSecret, claimsOf())
    const events = async (Origin: string) => {
      const leaving = new AbortController()
      const headers = { Authorization: `Bearer ${token}`, Accept: 'text/event-stream', Origin }
      const { status } = await fetch(`${plain.url}/v1/live`, { headers, signal: leaving.signal })
      leaving.abort()
      return status
    }
    const host = new URL(plain.url).host
    for (const [origin, isAllowed] of [
      ['capacitor://localhost', true],
      ['https://pr-7.preview.example', true],
      ['https://a.b.preview.example', false],
      ['https://preview.example', false],
      ['ionic://localhost', false],
      [`app://${host}`, false],
      ['null', false],
    ] as const) {
      const preflight = await fetch(`${plain.url}/v1/sync`, {
        method: 'OPTIONS',
        headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' },
      })
      expect(preflight.headers.get('access-control-allow-origin'), origin).toBe(isAllowed ? origin : null)
      expect(preflight.headers.get('access-control-allow-headers')).toMatch(/traceparent.*X-App/)
      expect(await events(origin), origin).toBe(isAllowed ? 200 : 403)
    }
    // A page that the server itself has answered, whatever ends TLS in front of it.
    expect(await events(`https://${host}`)).toBe(200)
  })
})
