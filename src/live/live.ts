import type { StreamEnd } from '../observe/facts.ts'

/** Who is told: what a token grants, and until when. */
export interface Listener {
  readonly subject: string
  /** The scopes of which it is told, at least one. */
  readonly scopes: readonly string[]
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** A WebSocket, or Server-Sent Events. */
export type Transport = 'socket' | 'events'

/** Where pokes come in and go out, in one kind of runtime. */
export interface Live {
  /** Pokes everybody who listens to the scope. Returns at once and never throws. */
  poke(scope: string, position: number): void
  /**
   * The answer that opens a socket or a stream. Throws the `Problem` too_many_sockets. Where this
   * side knows how a stream ends, `noteEnd` is given it.
   */
  connect(
    request: Request,
    listener: Listener,
    transport: Transport,
    noteEnd?: (ended: Promise<StreamEnd>) => void,
  ): Response | Promise<Response>
}

/**
 * The subprotocol that the server selects. The token stands in another one, `bearer.<token>`, which
 * is never sent back.
 */
export const subprotocol = 'driftline'

/**
 * Why a connection is closed from this side: the code of a WebSocket, and the same in the last
 * event of a stream.
 */
export const closings = {
  stopping: { code: 1001, reason: 'The server stops or restarts. Connect again.' },
  expired: { code: 4401, reason: 'The token has expired. Connect with a new one.' },
} as const

export type Closing = (typeof closings)[keyof typeof closings]

/** A poke on the wire, both as a frame and as the data of an event. */
export function formatPoke(scope: string, position: number): string {
  return JSON.stringify({ scope, position })
}
