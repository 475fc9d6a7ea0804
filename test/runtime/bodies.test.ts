import { request as open } from 'node:http'
import { deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/model/limits.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { type Runtime, runtimes } from '../support/runtimes.ts'
import { request, testSecret } from '../support/server.ts'
import { signedHeaders } from '../support/webhook.ts'

const places = ['Node with libSQL in a file', 'Node with Postgres', 'workerd with Durable Objects'] as const
const at = 1_700_000_000_000_000
const put = (id: string) => ({ table: 'todos', op: 'put', id, at, row: { title: 'Zürich 🏔' } })
const ndjson = { 'Content-Type': 'application/x-ndjson' }

/** What a body may be sent as, and how. */
const encodings: Readonly<Record<string, (text: string) => Uint8Array>> = {
  gzip: (text) => gzipSync(text),
  'X-GZip': (text) => gzipSync(text),
  // Several members, as a log that was written to twice has.
  GZIP: (text) => Buffer.concat([gzipSync(text.slice(0, 9)), gzipSync(''), gzipSync(text.slice(9))]),
  deflate: (text) => deflateSync(text),
  identity: (text) => Buffer.from(text),
}

describe.each(places)('bodies sent to %s', (name) => {
  let runtime: Runtime
  beforeAll(async () => {
    runtime = await (runtimes[name] as () => Promise<Runtime>)()
  })
  afterAll(() => runtime.close())

  /**
   * The entries that take changes: what each sends as the text of its body, with which headers, and
   * to where.
   */
  const entries = {
    push: (id: string) => [JSON.stringify({ client: 'a', changes: [put(id)] }), '/v1/push', {}],
    sync: (id: string) => [JSON.stringify({ client: 'a', changes: [put(id)] }), '/v1/sync', {}],
    import: (id: string) => [`${JSON.stringify(put(id))}\n`, '/v1/import?client=a', ndjson],
    webhook: (id: string) => {
      const text = JSON.stringify({ scope: 'packed', changes: [put(id)] })
      return [text, '/v1/webhooks/crm', signedHeaders(text, id)]
    },
  } satisfies Record<string, (id: string) => readonly [string, string, Record<string, string>]>

  it.each(Object.keys(entries) as (keyof typeof entries)[])(
    'P7 a %s takes every encoding, and says of others which it takes',
    async (entry) => {
      const send = (id: string, encoding: string, pack: (text: string) => Uint8Array) => {
        const [text, path, headers] = entries[entry](id) as [string, string, Record<string, string>]
        const all = { ...headers, 'Content-Encoding': encoding }
        return request(runtime.url, 'POST', path, { sub: 'packed', body: pack(text), headers: all })
      }
      for (const [encoding, pack] of Object.entries(encodings)) {
        const { status, text } = await send(`${entry}-${encoding}`, encoding, pack)
        expect([status, text.includes('"applied":1') || text.includes('"applied","action":"inserted"')]).toEqual([
          200,
          true,
        ])
      }
      for (const encoding of ['br', 'gzip, gzip', 'identity, gzip']) {
        const refused = await send(`${entry}-x`, encoding, gzipSync)
        expect([refused.status, refused.json.code]).toEqual([415, 'unsupported_media_type'])
        expect(refused.json.detail).toContain('gzip, deflate (in the format of zlib) or identity')
        expect(refused.headers.get('accept-encoding')).toBe('gzip, deflate')
      }
      const cut = await send(`${entry}-cut`, 'gzip', (text) => gzipSync(text).subarray(0, -3))
      expect([cut.status, (cut.json ?? JSON.parse(cut.text.split('\n')[0] ?? '')).code]).toEqual([400, 'malformed'])
    },
  )

  it('a push may inflate to the limit of a body and no further, and so may what inflates to nothing', async () => {
    const text = JSON.stringify({ client: 'a', changes: [] })
    const send = (body: Uint8Array) =>
      request(runtime.url, 'POST', '/v1/push', { body, headers: { 'Content-Encoding': 'gzip' } })
    const room = limits.bodyBytesMax - text.length
    expect((await send(gzipSync(text + ' '.repeat(room)))).status).toBe(200)
    expect((await send(gzipSync(text + ' '.repeat(room + 1)))).json.code).toBe('body_too_large')
    const empty = gzipSync('')
    const many = Buffer.alloc(Math.ceil(limits.bodyBytesMax / empty.length) * empty.length, empty)
    expect((await send(Buffer.concat([many, gzipSync(text)]))).json.code).toBe('body_too_large')
  })

  it('every answer of JSON, of lines and of a problem says that it is UTF-8', async () => {
    const typeOf = async (...call: Parameters<typeof request> extends [string, ...infer Rest] ? Rest : never) =>
      (await request(runtime.url, ...call)).headers.get('content-type')
    const body = { client: 'a', changes: [] }
    const lines = { headers: { Accept: 'application/x-ndjson' } }
    const hook = JSON.stringify({ changes: [] })
    expect([
      await typeOf('POST', '/v1/push', { body }),
      await typeOf('POST', '/v1/sync', { body: { ...body, cursor: null } }),
      await typeOf('GET', '/v1/pull'),
      await typeOf('POST', '/v1/webhooks/crm', { body: hook, headers: signedHeaders(hook) }),
      await typeOf('GET', '/health'),
      await typeOf('GET', '/openapi.json'),
    ]).toEqual(Array(6).fill('application/json; charset=utf-8'))
    expect([
      await typeOf('GET', '/v1/pull', lines),
      await typeOf('POST', '/v1/import', { body: '', headers: ndjson }),
    ]).toEqual(Array(2).fill('application/x-ndjson; charset=utf-8'))
    expect([
      await typeOf('GET', '/v1/pull?cursor=x'),
      await typeOf('POST', '/v1/push', { body, headers: { Authorization: '' } }),
      await typeOf('GET', '/nowhere'),
      await typeOf('DELETE', '/v1/push'),
      await typeOf('POST', '/v1/webhooks/nobody', { body: '{}' }),
      await typeOf('GET', '/v1/live'),
    ]).toEqual(Array(6).fill('application/problem+json; charset=utf-8'))
  })

  /** The answer to a request whose body never comes. */
  async function askWithoutBody(path: string, headers: Record<string, string>): Promise<number | undefined> {
    const asking = open(runtime.url + path, { method: 'POST', headers: { ...headers, 'Content-Length': 1_000_000 } })
    asking.on('error', () => {})
    asking.flushHeaders()
    const status = await new Promise<number | undefined>((resolve) =>
      asking.on('response', (answer) => resolve(answer.statusCode)),
    )
    asking.destroy()
    return status
  }

  it('who may not ask is refused before the body comes, everywhere', async () => {
    const json = { 'Content-Type': 'application/json' }
    const good = signedHeaders('{}')
    for (const [path, headers] of [
      ['/v1/push', json],
      ['/v1/sync', { ...json, Authorization: 'Bearer x' }],
      ['/v1/import', ndjson],
      ['/v1/webhooks/nobody', good],
      ['/v1/webhooks/crm', json],
      ['/v1/webhooks/crm', { ...good, 'webhook-signature': '' }],
      ['/v1/webhooks/crm', signedHeaders('{}', 'old', { at: new Date(Date.now() - 301_000) })],
    ] as const)
      expect(await askWithoutBody(path, headers as Record<string, string>), path).toBe(401)
    const token = { Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice' })}` }
    expect(await askWithoutBody('/v1/push', { ...token, 'Content-Type': 'text/plain' })).toBe(415)
    expect(await askWithoutBody('/v1/push', { ...token, ...json, 'Content-Encoding': 'br' })).toBe(415)
  })

  it('of many lines that are nothing, the first rejected ones are named and the others counted', async () => {
    const send = async (sub: string, text: string) => {
      const headers = { ...ndjson, 'Content-Encoding': 'gzip' }
      const answer = await request(runtime.url, 'POST', '/v1/import', { sub, body: gzipSync(text), headers })
      const lines = answer.text.trimEnd().split('\n').map((line) => JSON.parse(line)) // biome-ignore format: one way
      return { bytes: answer.text.length, listed: lines.filter(({ error }) => error).length, end: lines.at(-1) }
    }
    const most = limits.importRejectedMax
    expect(await send('most', 'x\n'.repeat(most))).toMatchObject({ listed: most, end: { rejected: most, done: true } })
    expect((await send('most', 'x\n'.repeat(most))).end.unlisted).toBeUndefined()
    const more = await send('more', `${'x\n'.repeat(most)}{}\n${JSON.stringify(put('good'))}\n`)
    expect(more).toMatchObject({ listed: most, end: { applied: 1, rejected: most + 1 } })
    expect(more.end.unlisted).toEqual({ unknown_table: 1 })
    const broken = await send('broken', '{x\n'.repeat(250_000))
    expect(broken.end).toMatchObject({ lines: 250_000, rejected: 250_000, done: true })
    expect(broken.end.unlisted).toEqual({ invalid_change: 250_000 - most })
    expect(broken.bytes).toBeLessThan(500_000)
    const empty = await send('empty', '\n'.repeat(1_000_000))
    expect(empty).toMatchObject({ listed: 0, end: { lines: 1_000_000, rejected: 0, done: true } })
    expect(empty.bytes).toBeLessThan(1_000)
  }, 120_000)
})
