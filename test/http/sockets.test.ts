import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { openEvents } from '../../src/live/events.ts'
import { createHub, type Hub } from '../../src/live/hub.ts'
import type { Listener } from '../../src/live/live.ts'
import { type SocketLive, socketLive } from '../../src/live/node/sockets.ts'

const listener = (...scopes: string[]): Listener => ({ subject: 's', scopes, expiresAt: Date.now() + 1e9 })
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('connections whose other side is gone', () => {
  let hub: Hub
  let live: SocketLive
  let server: Server
  let scopes = ['a']
  beforeEach(async () => {
    // The hub's own timer only: sockets need theirs.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    hub = createHub()
    live = socketLive(hub)
    server = createServer()
    live.attach(server, (request) => live.connect(request, listener(...scopes), 'socket'))
    await once(server.listen(0, '127.0.0.1'), 'listening')
  })
  afterEach(() => {
    live.close()
    server.close()
    vi.useRealTimers()
  })
  const port = () => (server.address() as AddressInfo).port

  it('keeps a socket that answers pings, and drops one that does not', async () => {
    const open = (autoPong: boolean) => new WebSocket(`ws://127.0.0.1:${port()}/v1/live`, { autoPong })
    const [there, gone] = [open(true), open(false)]
    await Promise.all([once(there, 'open'), once(gone, 'open')])
    const closed = once(gone, 'close')
    for (let round = 0; round < 3; round++) {
      vi.advanceTimersByTime(30_000)
      await pause(100)
    }
    expect(await closed).toMatchObject([1006, {}])
    expect(there.readyState).toBe(WebSocket.OPEN)
    expect(hub.count(listener())).toBe(1)
  })

  it('drops a socket that does not read, before it fills the memory', async () => {
    scopes = Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(500, 'x'))
    const client = connect(port(), '127.0.0.1').on('error', () => {})
    client.write(
      'GET /v1/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    await once(client, 'data')
    client.pause()
    const began = Date.now()
    for (let position = 1; hub.has(scopes[0] ?? '') && Date.now() - began < 30_000; position++) {
      for (const scope of scopes) hub.poke(scope, position)
      await pause(55)
    }
    expect(hub.has(scopes[0] ?? '')).toBe(false)
    client.destroy()
  })

  it('drops a stream that nobody reads, at once where it is full, and else at the next ping but one', async () => {
    openEvents(hub, listener('a'))
    vi.advanceTimersByTime(29_000)
    expect(hub.has('a')).toBe(true)
    vi.advanceTimersByTime(31_000)
    expect(hub.has('a')).toBe(false)

    scopes = Array.from({ length: 130 }, (_, n) => `${n}`.padEnd(500, 'x'))
    openEvents(hub, listener(...scopes))
    for (const scope of scopes) hub.poke(scope, 1)
    expect(hub.count(listener())).toBe(0)
  })

  it('keeps a stream that is read', async () => {
    const body = openEvents(hub, listener('a')).body
    const reader = body?.getReader()
    const read = (async () => {
      while (!(await reader?.read())?.done);
    })()
    for (let round = 0; round < 3; round++) {
      vi.advanceTimersByTime(30_000)
      await pause(20)
    }
    expect(hub.has('a')).toBe(true)
    await reader?.cancel()
    await read
    expect(hub.has('a')).toBe(false)
  })
})
