import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { type Closing, closings, formatPoke, type Listener } from './live.ts'
import { throttle } from './throttle.ts'

/** One open socket or stream. None of this throws, and `close` comes to `leave` in the end. */
export interface Session {
  readonly listener: Listener
  send(poke: string): void
  /**
   * Asks whether the other side is still there, and ends the session where it did not answer the
   * last time.
   */
  ping(): void
  close(closing: Closing): void
}

/** Everybody who listens in this process, and what they are told. */
export interface Hub {
  poke(scope: string, position: number): void
  /** Whether anybody here listens to a scope. */
  has(scope: string): boolean
  /** How many sessions a subject has. */
  count(listener: Listener): number
  /** Counts one more of a subject's sessions. Throws the `Problem` too_many_sockets. */
  admit(listener: Listener): void
  /** Takes an `admit` back that came to no session. */
  dismiss(listener: Listener): void
  /** A session that was admitted. */
  join(session: Session): void
  leave(session: Session): void
  /** Closes every session. */
  close(): void
}

/**
 * How often expiries are looked at. One timer for all: timers of their own cost memory, and end at
 * 24 days.
 */
const sweepMs = 1_000
const sweepsPerPing = limits.livePingMs / sweepMs

export function createHub(socketsMax: number = limits.liveSocketsMax): Hub {
  /** Each with the sweep, of those between two pings, in which it is pinged. */
  const sessions = new Map<Session, number>()
  const sessionsByScope = new Map<string, Set<Session>>()
  const countBySubject = new Map<string, number>()
  let sweeper: ReturnType<typeof setInterval> | undefined
  let sweeps = 0

  function sweep(): void {
    const turn = ++sweeps % sweepsPerPing
    const now = Date.now()
    for (const [session, pingTurn] of sessions) {
      if (session.listener.expiresAt <= now) session.close(closings.expired)
      else if (pingTurn === turn) session.ping()
    }
  }

  const count = ({ subject }: Listener) => countBySubject.get(subject) ?? 0

  function dismiss(listener: Listener): void {
    if (count(listener) > 1) countBySubject.set(listener.subject, count(listener) - 1)
    else countBySubject.delete(listener.subject)
  }

  return {
    count,
    poke: throttle(limits.livePokeMs, (scope, position) => {
      const poke = formatPoke(scope, position)
      const now = Date.now()
      for (const session of sessionsByScope.get(scope) ?? []) {
        if (session.listener.expiresAt > now) session.send(poke)
      }
    }),
    has: (scope) => sessionsByScope.has(scope),
    admit(listener) {
      if (count(listener) >= socketsMax) throw tooManySockets(socketsMax)
      countBySubject.set(listener.subject, count(listener) + 1)
    },
    dismiss,
    join(session) {
      sessions.set(session, sessions.size % sweepsPerPing)
      for (const scope of session.listener.scopes) {
        const others = sessionsByScope.get(scope)
        if (others) others.add(session)
        else sessionsByScope.set(scope, new Set([session]))
      }
      sweeper ??= setInterval(sweep, sweepMs)
    },
    leave(session) {
      if (!sessions.delete(session)) return
      dismiss(session.listener)
      for (const scope of session.listener.scopes) {
        const others = sessionsByScope.get(scope)
        others?.delete(session)
        if (others?.size === 0) sessionsByScope.delete(scope)
      }
      if (sessions.size > 0) return
      clearInterval(sweeper)
      sweeper = undefined
    },
    close() {
      for (const session of sessions.keys()) session.close(closings.stopping)
    },
  }
}

/**
 * Seconds after which a place may be free: whoever is gone without a word is found by the second
 * ping.
 */
const retryAfterSeconds = (2 * limits.livePingMs) / 1000

export function tooManySockets(socketsMax: number): Problem {
  return new Problem('too_many_sockets', `A principal may have ${socketsMax} sockets and streams open. Close some.`, {
    headers: { 'Retry-After': String(retryAfterSeconds) },
  })
}
