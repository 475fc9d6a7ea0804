import { once } from 'node:events'
import { request as open } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/model/limits.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { request, startServer, testSecret } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'
import { webhookSecret } from '../support/webhook.ts'
import { startWorker } from '../support/worker.ts'

const idleMs = 2_500
const settings = { BODY_IDLE_MS_MAX: String(idleMs), LOG: 'errors' }
const at = 1_700_000_000_000_000
const line = (n: number) =>
  `${JSON.stringify({ table: 'todos', op: 'put', id: `r${n}`, at, row: { title: `row ${n}` } })}\n`

const servers = {
  Node: async () => {
    const { folder, drop } = await temporaryFolder()
    const server = await startServer({ ...settings, DATABASE_URL: `file:${folder}/a.db` })
    return { url: server.url, close: () => server.stop().then(drop) }
  },
  workerd: async () => {
    const worker = await startWorker(settings)
    return { url: worker.url.origin, close: () => worker.close() }
  },
}

// The two wait side by side, each for one thing at a time: all have their deadlines.
const inTurn = { concurrent: false }
describe.concurrent.each(Object.entries(servers))('slow requests to %s', (_, start) => {
  let server: Awaited<ReturnType<typeof start>>
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server.close())

  async function begin(path: string, sub: string, type = 'application/json', more = {}) {
    const token = await signToken(testSecret, { sub })
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': type, ...more }
    const sending = open(server.url + path, { method: 'POST', headers })
    sending.on('error', () => {})
    const answer = once(sending, 'response').then(async ([response]) => {
      const body = await text(response).catch(() => '')
      return { status: response.statusCode, headers: response.headers, lines: body.trimEnd().split('\n') }
    })
    return { sending, answer }
  }
  const countOf = async (sub: string) => {
    const headers = { Accept: 'application/x-ndjson' }
    return (await request(server.url, 'GET', '/v1/pull', { sub, headers })).text.match(/"op":"put"/g)?.length ?? 0
  }

  it('a body that stands still gets a 408 that says so, and its connection ends', inTurn, async () => {
    const { sending, answer } = await begin('/v1/push', 'still')
    sending.write('{"client":"a",')
    const { status, headers, lines } = await answer
    expect([status, headers['content-type']]).toEqual([408, 'application/problem+json; charset=utf-8'])
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ code: 'request_timeout', retryable: true })
    expect(headers['server-timing']).toMatch(/^total;dur=/)
    sending.destroy()
  })

  it(
    'an import takes as long as it moves, a line now and then, and more than twice as long as it may stand still',
    inTurn,
    async () => {
      const { sending, answer } = await begin('/v1/import', 'moves', 'application/x-ndjson')
      for (let n = 0; n < 10; n++) {
        sending.write(line(n))
        await sleep(idleMs / 4)
      }
      sending.end()
      const { status, lines } = await answer
      expect([status, JSON.parse(lines.at(-1) ?? '')]).toMatchObject([200, { applied: 10, done: true }])
    },
  )

  it('an import that stands still ends with a problem, and what it had taken is taken', inTurn, async () => {
    const { sending, answer } = await begin('/v1/import', 'stands', 'application/x-ndjson')
    sending.write(Array.from({ length: limits.importLinesMax + 1 }, (_, n) => line(n)).join(''))
    const { status, lines } = await answer
    expect([status, JSON.parse(lines[0] ?? '')]).toMatchObject([200, { applied: limits.importLinesMax }])
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ problem: { status: 408, code: 'request_timeout' } })
    expect(await countOf('stands')).toBe(limits.importLinesMax)
    sending.destroy()
  })

  it('an import whose client is gone ends after the chunk under way, though all of it has come', inTurn, async () => {
    const chunks = 30
    const body = gzipSync(Array.from({ length: chunks * limits.importLinesMax }, (_, n) => line(n)).join(''))
    const { sending } = await begin('/v1/import', 'gone', 'application/x-ndjson', { 'Content-Encoding': 'gzip' })
    sending.end(body)
    const [response] = await once(sending, 'response')
    await once(response, 'data')
    sending.destroy()
    let [before, count] = [-1, await countOf('gone')]
    while (before !== count) {
      await sleep(1_000)
      before = count
      count = await countOf('gone')
    }
    expect(count % limits.importLinesMax).toBe(0)
    expect(count).toBeGreaterThan(0)
    expect(count).toBeLessThan((chunks / 2) * limits.importLinesMax)
  })
})

describe('connections to Node', () => {
  let server: Awaited<ReturnType<typeof startServer>>
  let drop = async () => {}
  beforeAll(async () => {
    const made = await temporaryFolder()
    drop = made.drop
    // A heap in which what a body of small chunks cost by the chunk would have no room.
    const NODE_OPTIONS = '--max-old-space-size=64'
    const WEBHOOK_SECRETS = JSON.stringify({ crm: webhookSecret })
    const DATABASE_URL = `file:${made.folder}/a.db`
    server = await startServer({ HEADERS_MS_MAX: '2000', WEBHOOK_SECRETS, DATABASE_URL, NODE_OPTIONS })
  })
  afterAll(() => server.stop().then(drop))

  async function dial() {
    const { hostname, port } = new URL(server.url)
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }

  it('are kept for longer than load balancers keep theirs', async () => {
    const { headers } = await server.request('GET', '/health')
    expect(headers.get('keep-alive')).toBe(`timeout=${limits.keepAliveMs / 1000}`)
    expect(limits.keepAliveMs).toBeGreaterThan(60_000)
  })

  it('end where the head of a request does not come to its end', async () => {
    const ends = ['', 'GET /health HTTP/1.1\r\nHo'].map(async (bytes) => {
      const socket = await dial()
      socket.write(bytes)
      return text(socket).catch(() => '')
    })
    // Either is an end: Node says 408 where something has come.
    for (const end of await Promise.all(ends)) expect(end).toMatch(/^(|HTTP\/1\.1 408 Request Timeout[\s\S]*)$/)
  })

  /** A body in chunks of one byte; gives the status of the answer. */
  async function sendSmallChunks(head: string): Promise<string> {
    const socket = await dial()
    let answer = ''
    const ended = new Promise<void>((resolve) => {
      socket.on('data', (some) => {
        answer += String(some)
        resolve()
      })
      socket.on('close', () => resolve())
    })
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`)
    const piece = '1\r\n \r\n'.repeat(10_000)
    for (let sent = 0; sent < 200_000 && answer === '' && !socket.destroyed; sent += 10_000) {
      if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), ended])
    }
    if (answer === '') socket.write('0\r\n\r\n')
    await ended
    socket.destroy()
    return answer.slice(9, 12)
  }

  it('hundreds of thousands of chunks of one byte cost what their bytes cost, whoever sends them', async () => {
    const now = String(Math.floor(Date.now() / 1000))
    const signed = `webhook-id: a\r\nwebhook-timestamp: ${now}\r\nwebhook-signature: v1,AAAA\r\n`
    const json = 'Host: x\r\nContent-Type: application/json\r\n'
    const auth = `Authorization: Bearer ${await signToken(testSecret, { sub: 'alice' })}\r\n`
    const ndjson = json.replace('application/json', 'application/x-ndjson')
    expect(await sendSmallChunks(`POST /v1/push HTTP/1.1\r\n${json}`)).toBe('401')
    expect(await sendSmallChunks(`POST /v1/webhooks/crm HTTP/1.1\r\n${json}${signed}`)).toBe('401')
    expect(await sendSmallChunks(`POST /v1/push HTTP/1.1\r\n${json}${auth}`)).toBe('400')
    expect(await sendSmallChunks(`POST /v1/import HTTP/1.1\r\n${ndjson}${auth}`)).toBe('200')
    expect((await server.request('GET', '/health')).status).toBe(200)
  }, 120_000)
})
