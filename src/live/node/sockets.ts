import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { deferred } from '../../model/deferred.ts'
import { Problem } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import type { StreamEnd } from '../../observe/facts.ts'
import { openEvents } from '../events.ts'
import type { Hub, Session } from '../hub.ts'
import { type Closing, type Listener, type Live, subprotocol } from '../live.ts'

/**
 * What of Node's server options sockets need. All other requests keep their way, whatever they
 * would upgrade to.
 */
export const socketServerOptions = { shouldUpgradeCallback: isSocketRequest }

/**
 * How long the other side may take to answer a close before it is cut off, when the server stops.
 */
const stopMsMax = 1_000

export interface SocketLive extends Live {
  /** Serves the upgrades of a server, each through the app like any other request. */
  attach(server: Server, fetch: (request: Request) => Response | Promise<Response>): void
  /** Closes every socket and stream. */
  close(): void
}

/**
 * WebSockets in Node. An upgrade runs through the app as a request, so that a refusal is the answer
 * that it would be anywhere else; only after the app has taken it the handshake goes out.
 */
export function socketLive(hub: Hub): SocketLive {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.liveMessageBytesMax,
    handleProtocols: () => subprotocol,
  })
  /** Requests that came as an upgrade, and who they are from once the app has taken them. */
  const upgrades = new WeakMap<Request, { listener?: Listener }>()
  const sockets = new Set<WebSocket>()

  async function upgrade(
    incoming: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    fetch: (request: Request) => Response | Promise<Response>,
  ): Promise<void> {
    // Whoever goes away meanwhile takes no other with it.
    socket.on('error', ignore)
    if (!isSocketRequest(incoming)) return void socket.destroy()
    const request = toRequest(incoming)
    if (!request) return void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')
    const taken: { listener?: Listener } = {}
    upgrades.set(request, taken)
    const response = await fetch(request)
    const { listener } = taken
    if (!listener) return refuse(incoming, socket, response)
    let opened = false
    if (!socket.destroyed) {
      socket.off('error', ignore)
      server.handleUpgrade(incoming, socket, head, (ws) => {
        opened = true
        open(ws, listener)
      })
    }
    // The library has answered a handshake that it does not take.
    if (!opened) hub.dismiss(listener)
  }

  function open(ws: WebSocket, listener: Listener): void {
    const session = new SocketSession(ws, listener, hub)
    sockets.add(ws)
    hub.join(session)
    ws.on('pong', () => session.answered())
    // A message too large, or a frame that is none: the library closes it.
    ws.on('error', ignore)
    ws.on('close', () => {
      sockets.delete(ws)
      hub.leave(session)
    })
  }

  return {
    poke: hub.poke,
    connect(request, listener, transport, noteEnd) {
      if (transport === 'events') {
        const ended = deferred<StreamEnd>()
        const response = openEvents(hub, listener, ended.resolve)
        noteEnd?.(ended.promise)
        // Kept alive after the stream's end, the connection would hold up a server that stops.
        response.headers.set('Connection', 'close')
        return response
      }
      const upgrade = upgrades.get(request)
      if (!upgrade) throw new Problem('upgrade_required', 'Send Connection: Upgrade with Upgrade: websocket.')
      hub.admit(listener)
      upgrade.listener = listener
      return new Response(null, { status: 204 })
    },
    attach(httpServer, fetch) {
      httpServer.on('upgrade', (incoming, socket, head) => {
        upgrade(incoming, socket, head, fetch).catch(() => socket.destroy())
      })
    },
    close() {
      hub.close()
      setTimeout(() => {
        for (const ws of sockets) ws.terminate()
      }, stopMsMax).unref()
    },
  }
}

class SocketSession implements Session {
  readonly listener: Listener
  readonly #ws: WebSocket
  readonly #hub: Hub
  #isAlive = true

  constructor(ws: WebSocket, listener: Listener, hub: Hub) {
    this.#ws = ws
    this.listener = listener
    this.#hub = hub
  }

  send(poke: string): void {
    if (this.#ws.bufferedAmount + poke.length > limits.liveBufferedBytesMax) this.#ws.terminate()
    else this.#ws.send(poke)
  }

  ping(): void {
    if (this.#isAlive) this.#ws.ping()
    else this.#ws.terminate()
    this.#isAlive = false
  }

  answered(): void {
    this.#isAlive = true
  }

  close({ code, reason }: Closing): void {
    this.#hub.leave(this)
    this.#ws.close(code, reason)
  }
}

function isSocketRequest({ headers, url = '' }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket' && /^\/v1\/live(\?|$)/.test(url)
}

function toRequest({ method = 'GET', url, headers, rawHeaders }: IncomingMessage): Request | undefined {
  try {
    const copied = new Headers()
    for (let at = 0; at < rawHeaders.length; at += 2) copied.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
    return new Request(`http://${headers.host}${url}`, { method, headers: copied })
  } catch {
    return undefined
  }
}

/** Writes the app's answer on a connection that Node has let go of. */
async function refuse(incoming: IncomingMessage, socket: Duplex, response: Response): Promise<void> {
  const answer = new ServerResponse(incoming)
  answer.assignSocket(socket as Socket)
  answer.shouldKeepAlive = false
  answer.writeHead(response.status, Object.fromEntries(response.headers))
  answer.end(new Uint8Array(await response.arrayBuffer()), () => socket.end())
}

function ignore(): void {}
