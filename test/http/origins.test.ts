import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { createIsAllowed, readOrigins } from '../../src/http/origins.ts'
import { openNodeLive } from '../../src/live/node/live.ts'
import { readSettings } from '../../src/runtime/settings.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { openTestStore } from '../support/stores.ts'

const allows = (setting: string) => createIsAllowed('CORS_ORIGINS', readOrigins('CORS_ORIGINS', setting))

describe('CORS_ORIGINS', () => {
  it.each([
    'https://app.example',
    'http://localhost:5173',
    'http://127.0.0.1:8080',
    'http://[::1]:3000',
    'https://xn--mnchen-3ya.example',
    'capacitor://localhost',
    'ionic://localhost',
    'ionic://',
    'tauri://localhost',
    'https://tauri.localhost',
    'app://-',
    'app://.',
    'app://bundle:3000',
    'chrome-extension://abcdefghijklmnop',
    'moz-extension://4d0a4c1c-5b5e-4f0e-9d9a-5a4b1f0c2e11',
    'safari-web-extension://E1B6C6AA-0C5C-4D7F-9F0A-9E0A1B2C3D4E',
    'com.acme.app://localhost',
  ])('takes %s, and no other by it', (origin) => {
    const isAllowed = allows(origin)
    expect(isAllowed(origin)).toBe(true)
    for (const other of [
      ...[`${origin}.evil.example`, `${origin}/`, `x${origin}`, origin.replace('://', '://evil.'), 'null', ''],
      ...[origin.toUpperCase(), `${origin}:1`, 'https://evil.example', 'file://', `${origin} ${origin}`],
    ]) {
      if (other !== origin) expect(isAllowed(other), other).toBe(false)
    }
  })

  it('takes several, with spaces around them', () => {
    const isAllowed = allows(' https://a.example , capacitor://localhost,,https://*.b.example ')
    for (const origin of ['https://a.example', 'capacitor://localhost', 'https://x.b.example'])
      expect(isAllowed(origin)).toBe(true)
    expect(isAllowed('https://x.a.example')).toBe(false)
    expect(allows('')('https://a.example')).toBe(false)
  })

  it.each([
    ['https://*.preview.example', 'https://pr-12.preview.example', 'https://pr_12.preview.example'],
    ['http://*.localhost:5173', 'http://acme.localhost:5173', 'http://1.localhost:5173'],
    ['https://*.preview.example:8443', 'https://a.preview.example:8443', 'https://xn--a-b.preview.example:8443'],
  ])('%s stands for one label', (pattern, ...good) => {
    const isAllowed = allows(pattern)
    for (const origin of good) expect(isAllowed(origin), origin).toBe(true)
    const [before = '', after = ''] = pattern.split('*.')
    for (const label of [
      ...['a.b.', '', '.', 'evil.example/.', 'evil.example#.', 'evil.example?.', 'user@.', 'evil.example:80.', 'A.'],
      ...['*.', ' .', 'a\n.', `${'x'.repeat(64)}.`, 'evil.example\\.', '%2e.'],
    ]) {
      expect(isAllowed(`${before}${label}${after}`), label).toBe(false)
    }
    for (const origin of [
      `${good[0]}.evil.example`,
      `${good[0]}/`,
      `x${good[0]}`,
      good[0]?.replace('http', 'ftp') ?? '',
    ])
      expect(isAllowed(origin), origin).toBe(false)
  })

  it('* alone is every origin', () => {
    for (const origin of ['https://a.example', 'capacitor://localhost', 'null']) expect(allows('*')(origin)).toBe(true)
  })

  it.each([
    ['https://app.example/', /write https:\/\/app\.example$/],
    ['https://app.example/path?query#hash', /write https:\/\/app\.example$/],
    ['https://App.Example', /write https:\/\/app\.example$/],
    ['HTTPS://app.example', /write https:\/\/app\.example$/],
    ['https://app.example:443', /write https:\/\/app\.example$/],
    ['http://app.example:80', /write http:\/\/app\.example$/],
    ['https://münchen.example', /write https:\/\/xn--mnchen-3ya\.example$/],
    ['https://user:secret@app.example', /write https:\/\/app\.example$/],
    ['http://127.1', /write http:\/\/127\.0\.0\.1$/],
    ['app.example', /write https:\/\/app\.example$/],
    ['localhost:5173', /write http:\/\/localhost:5173$/],
    ['capacitor://localhost/', /write capacitor:\/\/localhost$/],
    ['Capacitor://localhost', /write capacitor:\/\/localhost$/],
    ['chrome-extension://ABCDEF', /write chrome-extension:\/\/abcdef$/],
    ['chrome-extension://abcdef/index.html', /write chrome-extension:\/\/abcdef$/],
    ['https://*.Preview.example', /write https:\/\/\*\.preview\.example$/],
    ['https://*.preview.example/', /write https:\/\/\*\.preview\.example$/],
    ['https://*.preview.example:443', /write https:\/\/\*\.preview\.example$/],
    ['null', /null is the origin of every local file/],
    ['file://', /no page has an origin of file:/],
    ['wss://app.example', /no page has an origin of wss:/],
    ['*,https://app.example', /stands alone/],
    ['https://*', /one label/],
    ['https://*.', /top-level/],
    ['https://*.com', /top-level/],
    ['https://*.example', /top-level/],
    ['https://*.0.0.1', /top-level domain or an address/],
    ['https://*.*.preview.example', /one label only/],
    ['https://preview.*.example', /whole first label/],
    ['https://app-*.preview.example', /whole first label/],
    ['https://*preview.example', /whole first label/],
    ['http://localhost:*', /whole first label/],
    ['chrome-extension://*', /https:\/\/ and http:\/\/ only/],
    ['*://app.example', /must be origins between commas/],
    ['*.preview.example', /must be origins between commas/],
    ['https://', /scheme and a host/],
    ['https://a b.example', /scheme and a host/],
    ['https://a.example https://b.example', /scheme and a host/],
    ['app://a b', /scheme and a host/],
    ['["https://app.example"]', /must be origins between commas/],
    ['"https://app.example"', /must be origins between commas/],
    ['https://app.example:99999', /scheme and a host/],
    ['true', /must be origins between commas/],
  ])('refuses %s, which can match nothing or too much', (origin, message) => {
    for (const text of [origin, origin.includes('*,') ? origin : `https://good.example,${origin}`]) {
      expect(() => readSettings({ CORS_ORIGINS: text })).toThrow(message)
      expect(() => readSettings({ CORS_ORIGINS: text })).toThrow(/^CORS_ORIGINS/)
      expect(() => readSettings({ CORS_ORIGINS: text })).not.toThrow(/secret/)
    }
  })
})

describe('a preflight', () => {
  const names =
    'authorization content-type accept if-none-match content-encoding idempotency-key x-requested-with x-client-info apikey cache-control prefer traceparent tracestate baggage sentry-trace x-datadog-trace-id x-datadog-parent-id x-datadog-origin x-datadog-sampling-priority x-datadog-sampled x-datadog-tags b3 x-b3-traceid x-b3-spanid x-b3-parentspanid x-b3-sampled x-b3-flags'
  const preflight = (headers: string, Origin = 'capacitor://localhost') => ({
    method: 'OPTIONS',
    headers: { Origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': headers },
  })
  const allowed = (answer: Response) =>
    (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(/\s*,\s*/)

  it('allows on every route what libraries add to requests, for a day', async () => {
    const opened = await openTestStore('libsql file')
    const live = await openNodeLive('file:none', 1)
    const { corsOrigins, corsHeaders } = readSettings({
      CORS_ORIGINS: 'capacitor://localhost,https://*.preview.example',
      CORS_HEADERS: 'X-App-Version, x_tenant',
    })
    const app = createApp({
      ...{ schema, store: opened.store, auth: { secret: testSecret }, live, corsOrigins, corsHeaders },
      documents: async () => '',
    })
    const paths = new Set(app.routes.filter(({ path }) => !path.includes('*')).map(({ path }) => path))
    expect(paths.size).toBe(11)
    for (const path of [...paths, '/nowhere']) {
      const answer = await app.request(path.replace(':source', 'crm'), preflight(names))
      expect(answer.status, path).toBe(204)
      expect(allowed(answer)).toEqual(expect.arrayContaining([...names.split(' '), 'x-app-version', 'x_tenant']))
      expect(allowed(answer)).not.toContain('x-other')
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'access-control-allow-origin': 'capacitor://localhost',
        'access-control-max-age': '86400',
        vary: expect.stringContaining('Origin'),
      })
      const stranger = await app.request(path.replace(':source', 'crm'), preflight(names, 'https://evil.example'))
      expect(stranger.headers.get('access-control-allow-origin')).toBeNull()
    }
    const refused = await app.request('/v1/pull', { headers: { Origin: 'https://a.preview.example' } })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([
      401,
      'https://a.preview.example',
    ])
    expect(refused.headers.get('access-control-expose-headers')?.split(',')).toEqual(
      expect.arrayContaining(['ETag', 'Retry-After', 'Server-Timing', 'WWW-Authenticate', 'X-Request-Id']),
    )
    await opened.close()
  })

  it('allows any header by CORS_HEADERS=*, and takes names only', async () => {
    const opened = await openTestStore('libsql file')
    const { corsHeaders } = readSettings({ CORS_HEADERS: '*' })
    const app = createApp({
      ...{ schema, store: opened.store, auth: { secret: testSecret }, corsHeaders, corsOrigins: ['*'] },
    })
    expect(allowed(await app.request('/v1/sync', preflight('authorization, x-other')))).toEqual([
      'authorization',
      'x-other',
    ])
    for (const CORS_HEADERS of ['X-A X-B', 'X-A:1', 'X-Ä', '"X-A"', 'X-A;X-B', 'X-A\nX-B'])
      expect(() => readSettings({ CORS_HEADERS }), CORS_HEADERS).toThrow(/^CORS_HEADERS must be names of headers/)
    for (const corsOrigins of [['https://app.example/'], ['*', 'https://app.example'], ['null']])
      expect(() => createApp({ schema, store: opened.store, auth: { secret: testSecret }, corsOrigins })).toThrow(
        /^corsOrigins/,
      )
    await opened.close()
  })
})
