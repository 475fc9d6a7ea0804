import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeLive } from '../suites/live-suite.ts'
import { listenByEvents, listenBySocket, put, quiet, tokenOf } from '../support/live.ts'
import { type ServerProcess, startServer } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'

describeLive('a Node process', async (settings) => {
  const { folder, drop } = await temporaryFolder()
  const server = await startServer({ DATABASE_URL: `file:${folder}/a.db`, ...settings })
  return { url: server.url, seesStreamsGo: true, logs: () => server.output(), close: () => server.stop().then(drop) }
})

describe('upgrades of a Node process', () => {
  let server: ServerProcess
  let drop = async () => {}
  beforeAll(async () => {
    const { folder, drop: dropFolder } = await temporaryFolder()
    drop = dropFolder
    server = await startServer({ DATABASE_URL: `file:${folder}/a.db`, LIVE_SOCKETS_MAX: '5' })
  })
  afterAll(async () => {
    await server.stop()
    await drop()
  })

  it('takes no place for a handshake that breaks off or that is none', async () => {
    const token = await tokenOf({ sub: 'mia' })
    const raw = (lines: string[]) =>
      new Promise<string>((resolve) => {
        const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
        let text = ''
        socket.on('data', (chunk) => {
          text += chunk
        })
        socket.on('close', () => resolve(text)).on('error', () => {})
        socket.write(
          `GET /v1/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${lines.join('\r\n')}\r\n\r\n`,
        )
        if (lines.includes('X-Leave: now')) socket.destroy()
      })
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
    for (let n = 0; n < 6; n++) {
      expect(await raw([...upgrade, 'Sec-WebSocket-Key: short'])).toMatch(/^HTTP\/1.1 400/)
      expect(await raw(['Upgrade: websocket', 'Connection: close'])).toMatch(/^HTTP\/1.1 426/)
      await raw([...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'X-Leave: now'])
    }
    await quiet()
    await (await listenBySocket(server.url, { sub: 'mia' })).close()
  })

  it('answers a request that would upgrade to something else as if it would not', async () => {
    const answer = await fetchWithUpgrade(server.url, await tokenOf({ sub: 'nina' }))
    expect(answer).toMatch(/^HTTP\/1.1 200/)
    expect(answer).toContain('"verdict":"applied"')
  })
})

/** As clients do that offer HTTP/2 on every connection, with a body. */
function fetchWithUpgrade(url: string, token: string): Promise<string> {
  const body = JSON.stringify({ client: 'a', changes: [put('1')] })
  const { port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
      if (text.includes('}]}')) resolve(text)
    })
    socket.on('error', reject).on('close', () => resolve(text))
    socket.write(
      `POST /v1/push HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  })
}

describe('a Node process that stops', () => {
  it('closes sockets and streams with 1001 and ends at once, also where a client does not answer', async () => {
    const { folder, drop } = await temporaryFolder()
    const server = await startServer({ DATABASE_URL: `file:${folder}/a.db` })
    const listeners = [await listenBySocket(server.url), await listenByEvents(server.url)]
    const silent = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {})
    const token = await tokenOf({})
    silent.write(
      `GET /v1/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    )
    await new Promise((resolve) => silent.once('data', resolve))
    // What does not end by itself is ended after ten seconds.
    const began = Date.now()
    expect(await server.stop()).toBe(0)
    expect(Date.now() - began).toBeLessThan(9_000)
    for (const listener of listeners) expect(await listener.closed).toMatchObject({ code: 1001 })
    silent.destroy()
    await drop()
  })
})
