import { DurableObject } from 'cloudflare:workers'
import type { DurableObjectState, WebSocketPair as Pair, WebSocket } from '@cloudflare/workers-types'
import { limits } from '../../model/limits.ts'
import { openEvents } from '../events.ts'
import { createHub } from '../hub.ts'
import { closings, formatPoke, type Listener } from '../live.ts'
import { throttle } from '../throttle.ts'
import { type Arrival, arrivalHeader, type LiveNamespace } from './object-live.ts'

declare const WebSocketPair: typeof Pair

/** Another object whose sockets listen to this one's scope too. */
interface Follower {
  /** When the last of its tokens expires, in milliseconds. */
  readonly until: number
}

/**
 * The live connections of one scope. Its sockets hibernate: between two pokes the object is not in
 * memory, and what it knows of a socket is attached to it. An event stream keeps the object in
 * memory as long as it lasts.
 */
export class LiveObject extends DurableObject {
  readonly #state: DurableObjectState
  readonly #namespace: LiveNamespace
  readonly #hub = createHub(Number.POSITIVE_INFINITY)
  #followers: Map<string, Follower> | undefined
  readonly #tell = throttle(limits.livePokeMs, (scope, position) => void this.#spread(scope, position))

  constructor(state: DurableObjectState, env: { readonly LIVE: LiveNamespace }) {
    super(state, env)
    this.#state = state
    this.#namespace = env.LIVE
  }

  /**
   * Opens a socket, or a stream where the worker asks for no upgrade. Only the worker can call
   * this.
   */
  async fetch(request: Request): Promise<Response> {
    const { listener, socketsMax }: Arrival = JSON.parse(decodeURIComponent(request.headers.get(arrivalHeader) ?? ''))
    const tag = listener.subject.slice(0, tagLengthMax)
    const count = this.#state.getWebSockets(tag).length + this.#hub.count(listener)
    if (count >= socketsMax) return new Response(null, { status: 429 })
    const response = request.headers.get('upgrade') ? this.#openSocket(listener, tag) : openEvents(this.#hub, listener)
    // Only once it is held here: an object that passes a poke on to nobody forgets to do so the
    // next time.
    const [home = '', ...others] = listener.scopes
    const until = listener.expiresAt
    await Promise.all(others.map((scope) => this.#namespace.getByName(scope).follow(home, until)))
    await this.#wakeAt(until)
    return response
  }

  #openSocket(listener: Listener, tag: string): Response {
    const { 0: client, 1: server } = new WebSocketPair()
    this.#state.acceptWebSocket(server, [tag])
    server.serializeAttachment(listener)
    return new Response(null, { status: 101, ...({ webSocket: client } as object) })
  }

  async poke(scope: string, position: number): Promise<void> {
    this.#tell(scope, position)
  }

  async deliver(scope: string, position: number): Promise<boolean> {
    const now = Date.now()
    const poke = formatPoke(scope, position)
    let found = this.#hub.has(scope)
    this.#hub.poke(scope, position)
    for (const [socket, listener] of this.#sockets()) {
      if (!listener.scopes.includes(scope) || listener.expiresAt <= now) continue
      found = true
      try {
        socket.send(poke)
      } catch {
        // It breaks just now, which is no matter of the others.
      }
    }
    return found
  }

  async follow(home: string, until: number): Promise<void> {
    const followers = await this.#readFollowers()
    const follower = { until: Math.max(until, followers.get(home)?.until ?? 0) }
    followers.set(home, follower)
    await this.#state.storage.put(followerPrefix + home, follower)
    await this.#wakeAt(until)
  }

  /** To the connections here, and to the objects that follow this scope. */
  async #spread(scope: string, position: number): Promise<void> {
    await this.deliver(scope, position)
    const followers = await this.#readFollowers()
    await Promise.allSettled(
      [...followers].map(async ([home, follower]) => {
        const found = await this.#namespace.getByName(home).deliver(scope, position)
        // Not one that came back while this was on its way.
        if (!found && followers.get(home) === follower) await this.#forget(home)
      }),
    )
  }

  /**
   * Closes what has expired, forgets who followed with a token that has, and sleeps until the next
   * does.
   */
  async alarm(): Promise<void> {
    const now = Date.now()
    let next = Number.POSITIVE_INFINITY
    for (const [socket, { expiresAt }] of this.#sockets()) {
      if (expiresAt > now) next = Math.min(next, expiresAt)
      else socket.close(closings.expired.code, closings.expired.reason)
    }
    for (const [home, { until }] of await this.#readFollowers()) {
      if (until > now) next = Math.min(next, until)
      else await this.#forget(home)
    }
    if (next < Number.POSITIVE_INFINITY) await this.#wakeAt(next)
  }

  /** Messages are not read. Each wakes the object, so a large one ends it as in Node. */
  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const bytes = typeof message === 'string' ? message.length : message.byteLength
    if (bytes > limits.liveMessageBytesMax) socket.close(1009, 'Messages are not read.')
  }

  /**
   * The runtime leaves it to the object to answer a close. 1005, 1006 and 1015 stand for none, and
   * throw.
   */
  webSocketClose(socket: WebSocket, code: number): void {
    socket.close(isReserved(code) ? 1000 : code)
  }
  webSocketError(): void {}

  #sockets(): (readonly [WebSocket, Listener])[] {
    const open = this.#state.getWebSockets().filter(({ readyState }) => readyState === openState)
    return open.map((socket) => [socket, socket.deserializeAttachment() as Listener] as const)
  }

  async #readFollowers(): Promise<Map<string, Follower>> {
    if (!this.#followers) {
      const stored = await this.#state.storage.list<Follower>({ prefix: followerPrefix })
      this.#followers ??= new Map([...stored].map(([key, value]) => [key.slice(followerPrefix.length), value]))
    }
    return this.#followers
  }

  async #forget(home: string): Promise<void> {
    this.#followers?.delete(home)
    await this.#state.storage.delete(followerPrefix + home)
  }

  /**
   * An alarm is set for a day at the most, since a token may live longer than an alarm can be told
   * of.
   */
  async #wakeAt(time: number): Promise<void> {
    const at = Math.min(time, Date.now() + 86_400_000)
    const set = await this.#state.storage.getAlarm()
    if (set === null || at < set) await this.#state.storage.setAlarm(at)
  }
}

const followerPrefix = 'follower:'
/** Cloudflare's. Subjects that begin alike share their limit. */
const tagLengthMax = 256
const openState = 1
const isReserved = (code: number) => code < 1000 || [1004, 1005, 1006, 1015].includes(code)
