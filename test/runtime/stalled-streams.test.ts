import { randomBytes } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signToken } from '../../src/runtime/sign-token.ts'
import { request as ask, startServer, testSecret } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'
import { startWorker } from '../support/worker.ts'

const settings = { STREAMS_MAX: '3', STREAM_IDLE_MS_MAX: '2000', LOG: 'json' }

const servers: Readonly<Record<string, () => Promise<{ url: string; close: () => Promise<unknown> }>>> = {
  'Node with libSQL in a file': async () => {
    const { folder, drop } = await temporaryFolder()
    const server = await startServer({ DATABASE_URL: `file:${join(folder, 'a.db')}`, ...settings })
    return { url: server.url, close: () => server.stop().then(drop) }
  },
  'workerd with Durable Objects': async () => {
    const worker = await startWorker(settings)
    return { url: worker.url.origin, close: () => worker.close() }
  },
}

// The two wait side by side, each for one thing at a time: nobody may be held up beyond a limit.
const inTurn = { concurrent: false }
describe.concurrent.each(Object.entries(servers))(
  'streams are counted and end where nobody reads, %s',
  { timeout: 180_000 },
  (name, start) => {
    let url: string
    let close: () => Promise<unknown>
    let subjects = 0
    beforeAll(async () => {
      ;({ url, close } = await start())
      await fill()
    })
    afterAll(() => close())

    const someone = () => `user${++subjects}`
    /** What every subject may read. */
    const scopes = [{ id: 'large', access: 'read' as const }]
    /** More rows than the buffers of a connection hold: 36 MB, 27 MB as gzip. */
    async function fill(): Promise<void> {
      const noise = () => randomBytes(81_000).toString('base64')
      for (let part = 0; part < 12; part++) {
        const changes = Array.from({ length: 28 }, (_, n) => {
          return {
            table: 'todos',
            op: 'put',
            id: `${part}-${n}`,
            at: Date.now() * 1000,
            row: { title: 'x', notes: noise() },
          }
        })
        const { status } = await ask(url, 'POST', '/v1/push', {
          sub: 'large',
          body: { client: 'a', return: 'lost', changes },
        })
        expect(status).toBe(200)
      }
    }
    const headersOf = async (sub: string, more: object = {}) => ({
      Authorization: `Bearer ${await signToken(testSecret, { sub, scopes })}`,
      Accept: 'application/x-ndjson',
      ...more,
    })
    /** Opens a stream and reads nothing of it. */
    async function open(sub: string, more: object = {}): Promise<IncomingMessage> {
      const headers = await headersOf(sub, more)
      return new Promise((resolve, reject) => {
        request(`${url}/v1/pull?limit=20`, { headers, agent: false }, resolve).on('error', reject).end()
      })
    }
    /** Whether a stream comes to its end, line by line. */
    async function readWhole(stream: IncomingMessage): Promise<boolean> {
      let text = ''
      for await (const part of stream.setEncoding('utf8')) text += part
      return text.trimEnd().endsWith('"more":false}')
    }
    /** Tries until there is a place, for as long as a test may take. */
    async function untilFree(sub: string): Promise<IncomingMessage> {
      for (;;) {
        const stream = await open(sub)
        if (stream.statusCode === 200) return stream
        expect(stream.statusCode).toBe(429)
        stream.resume()
        await setTimeout(100)
      }
    }
    /** Once none of the subject's streams has its place any more. */
    async function untilAllFree(sub: string): Promise<void> {
      const streams = [await untilFree(sub), await untilFree(sub), await untilFree(sub)]
      for (const stream of streams) stream.destroy()
    }

    // Thirty seconds beyond its end a token is still taken.
    it('lets a slow reader go on to the end, beyond the time of its token', inTurn, async () => {
      const sub = someone()
      const headers = {
        ...(await headersOf(sub)),
        Authorization: `Bearer ${await signToken(testSecret, { sub, scopes, seconds: -26 })}`,
      }
      const stream = await new Promise<IncomingMessage>((resolve) => {
        request(`${url}/v1/pull?limit=20`, { headers, agent: false }, resolve).end()
      })
      expect(stream.statusCode).toBe(200)
      let text = ''
      let pauses = 0
      for await (const part of stream.setEncoding('utf8')) {
        text += part
        if (text.length > 8_000_000 * (pauses + 1)) {
          pauses++
          await setTimeout(1_200)
        }
      }
      expect(pauses).toBeGreaterThan(3)
      expect(text.trimEnd().endsWith('"more":false}')).toBe(true)
      const late = await ask(url, 'GET', '/v1/pull', { headers: { Authorization: headers.Authorization } })
      expect(late.status).toBe(401)
    })

    it('gives the place back however a stream ends', inTurn, async () => {
      const sub = someone()
      const headers = await headersOf(sub)
      const [, tag] = /"(\w+)"/.exec((await readHead(sub)).headers.etag ?? '') ?? []
      for (let time = 0; time < 4; time++) {
        expect((await readHead(sub)).statusCode).toBe(200)
        expect(
          (
            await ask(url, 'GET', '/v1/pull?limit=20', {
              sub,
              scopes,
              headers: { ...headers, 'If-None-Match': `"${tag}"` },
            })
          ).status,
        ).toBe(304)
        const malformed = await ask(url, 'GET', '/v1/pull?limit=0', { sub, headers })
        expect(malformed.status).toBe(400)
        // Gone before the first byte, and in the middle.
        const socket = connect(Number(new URL(url).port), '127.0.0.1')
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
        socket.write(`GET /v1/pull?limit=20 HTTP/1.1\r\nHost: a\r\n${lines.join('')}\r\n`, () => socket.destroy())
        const left = await untilFree(sub)
        left.once('data', () => left.destroy())
        await new Promise((resolve) => left.on('close', resolve))
      }
      await untilAllFree(sub)
    })
    async function readHead(sub: string): Promise<IncomingMessage> {
      const headers = await headersOf(sub)
      return new Promise((resolve) => {
        request(`${url}/v1/pull?limit=20`, { method: 'HEAD', headers, agent: false }, resolve).end()
      })
    }

    // The front of workerd's harness reads ahead without a bound, so that behind it nothing ever
    // stalls.
    if (name.startsWith('workerd')) return

    it('refuses one too many of a subject with 429, and nobody else', inTurn, async () => {
      const [sub, other] = [someone(), someone()]
      const held = [await open(sub), await open(sub, { 'Accept-Encoding': 'gzip' }), await open(sub)]
      expect(held.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200])
      const refused = await ask(url, 'GET', '/v1/pull', { sub, scopes, headers: { Accept: 'application/x-ndjson' } })
      expect([refused.status, refused.json.code, refused.headers.get('retry-after')]).toEqual([
        429,
        'too_many_streams',
        '2',
      ])
      expect(
        (await ask(url, 'POST', '/v1/pull', { sub, scopes, body: {}, headers: { Accept: 'application/x-ndjson' } }))
          .status,
      ).toBe(429)
      // A page is no stream.
      expect((await ask(url, 'GET', '/v1/pull?limit=1', { sub, scopes })).status).toBe(200)
      const free = await open(other)
      expect(await readWhole(free)).toBe(true)
      // Nobody reads: all of them are cut, and their places are free.
      const ends = held.map((stream) => readWhole(stream).catch(() => false))
      await untilAllFree(sub)
      expect(await readWhole(await untilFree(sub))).toBe(true)
      await Promise.all(ends)
    })

    it.each(['identity', 'gzip'])(
      'cuts what nobody reads after the limit, %s, and gives its place back',
      inTurn,
      async (encoding) => {
        const sub = someone()
        const stalled = await Promise.all(Array.from({ length: 3 }, () => open(sub, { 'Accept-Encoding': encoding })))
        const ends = stalled.map((stream) => new Promise((resolve) => stream.on('close', resolve).on('error', resolve)))
        expect((await open(sub)).resume().statusCode).toBe(429)
        await untilAllFree(sub)
        for (const stream of stalled) stream.resume()
        await Promise.all(ends)
        for (const { complete } of stalled) expect(complete).toBe(false)
        expect(await readWhole(await untilFree(sub))).toBe(true)
      },
    )
  },
)
