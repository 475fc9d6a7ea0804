import { AnotherSubject } from '../local/calibrate.ts'
import type { Settable } from '../readable.ts'
import { AnswerFault, NetworkFault, SignedOut } from './request.ts'

export type State = 'idle' | 'syncing' | 'waiting' | 'offline' | 'unauthorized' | 'paused'
export type Phase = 'push' | 'pull' | 'bootstrap' | 'resync' | null

/** What the loop tells of itself. */
export interface LoopStatus {
  readonly state: State
  readonly phase: Phase
  readonly retryAt: number | null
  readonly error: { readonly code: string; readonly status?: number; readonly requestId?: string } | null
}

export interface LoopOptions {
  /** Goes on until nothing is left to send or to pull. */
  readonly round: (isStopped: () => boolean) => Promise<void>
  readonly status: Settable<LoopStatus>
  /** Asks who is signed in before the next request. */
  readonly askAgain: () => void
}

const afterWriteMs = 20
const everyMs = 5 * 60_000
const backoffMs = { first: 1_000, most: 60_000 }
const refusedMs = 60_000

/** When the client talks to the server (CLIENT 6). One round at a time. */
export function createLoop({ round, status, askAgain }: LoopOptions) {
  let timer: ReturnType<typeof setTimeout> | undefined
  let dueAt = Number.POSITIVE_INFINITY
  let running: Promise<void> | undefined
  let again = false
  let attempts = 0
  let isOnline = true
  let isPaused = false
  let isClosed = false
  let [wall, monotonic] = [Date.now(), now()]

  const set = (some: Partial<LoopStatus>) => status.set({ ...status.get(), ...some })

  /** The next round, at the latest in so many milliseconds. */
  function schedule(ms: number): void {
    const at = Date.now() + ms
    if (isClosed || isPaused || (timer !== undefined && at >= dueAt)) return
    clearTimeout(timer)
    dueAt = at
    timer = setTimeout(() => {
      timer = undefined
      void run()
    }, ms)
  }

  function rest(): void {
    clearTimeout(timer)
    timer = undefined
    dueAt = Number.POSITIVE_INFINITY
  }

  function run(): Promise<void> {
    if (isClosed || isPaused) return Promise.resolve()
    if (running) {
      again = true
      return running
    }
    rest()
    running = once().finally(() => {
      running = undefined
      if (again) {
        again = false
        schedule(0)
      }
    })
    return running
  }

  async function once(): Promise<void> {
    checkClocks()
    set({ state: 'syncing', retryAt: null })
    try {
      await round(() => isClosed || isPaused)
      attempts = 0
      set({ state: isPaused ? 'paused' : 'idle', phase: null, error: null, retryAt: null })
      schedule(everyMs * (0.8 + 0.4 * Math.random()))
    } catch (error) {
      fail(error)
    }
  }

  /** Where the clocks parted, the server's is asked for. */
  function checkClocks(): void {
    const [wallNow, monotonicNow] = [Date.now(), now()]
    if (Math.abs(wallNow - wall - (monotonicNow - monotonic)) > 30_000) askAgain()
    ;[wall, monotonic] = [wallNow, monotonicNow]
  }

  function fail(error: unknown): void {
    if (isPaused) {
      set({ state: 'paused', phase: null, retryAt: null })
      return
    }
    const backoffOf = () => Math.random() * Math.min(backoffMs.most, backoffMs.first * 2 ** attempts++)
    const { state, ms, shown } = waitAfter(error, isOnline, backoffOf)
    set({ state, phase: null, error: shown, retryAt: Date.now() + ms })
    schedule(ms)
  }

  return {
    /** A change was written: what is written right behind it goes along. */
    wrote() {
      const { state } = status.get()
      if (state === 'idle') schedule(afterWriteMs)
      else if (state === 'syncing') again = true
    },
    /** Others may have written: what waits after a fault waits on. */
    poked() {
      const { state } = status.get()
      if (state === 'idle') schedule(0)
      else if (state === 'syncing') again = true
    },
    /** At once, whatever it waits for. Done once a round has ended that began behind this call. */
    async go(): Promise<void> {
      rest()
      const before = running
      await before
      await (running ?? run())
    },
    online(is: boolean) {
      isOnline = is
      if (is) void this.go()
    },
    pause() {
      isPaused = true
      rest()
      if (!running) set({ state: 'paused', phase: null, retryAt: null })
    },
    resume() {
      isPaused = false
      askAgain()
      set({ state: 'idle' })
      void this.go()
    },
    async close() {
      isClosed = true
      rest()
      await running
    },
  }
}

interface Wait {
  readonly state: State
  readonly ms: number
  readonly shown: LoopStatus['error']
}

/** How long a fault is waited for, and what is told of it. Nothing is ever dropped for one (C2). */
function waitAfter(error: unknown, isOnline: boolean, backoffOf: () => number): Wait {
  if (error instanceof SignedOut) {
    const shown = { code: error.code, ...(error.code === 'unauthorized' && { status: 401 }) }
    return { state: 'unauthorized', ms: everyMs, shown }
  }
  if (error instanceof AnotherSubject) return { state: 'unauthorized', ms: everyMs, shown: { code: 'another_subject' } }
  if (error instanceof NetworkFault) {
    if (!isOnline) return { state: 'offline', ms: refusedMs, shown: { code: 'network' } }
    return { state: 'waiting', ms: backoffOf(), shown: { code: error.isTimeout ? 'timeout' : 'network' } }
  }
  if (error instanceof AnswerFault) {
    const { problem, retryAfterMs = 0 } = error
    const { status, code, request_id: requestId } = problem
    const shown = { code, status, ...(requestId !== undefined && { requestId }) }
    const isTransient = status >= 500 || status === 408 || status === 429
    return { state: 'waiting', ms: isTransient ? Math.max(backoffOf(), retryAfterMs) : refusedMs, shown }
  }
  // A fault of the device's database, or of the app's own functions.
  const shown = { code: error instanceof Error ? error.name : 'unknown' }
  return { state: 'waiting', ms: Math.max(1_000, backoffOf()), shown }
}

/** Milliseconds that no setting of the wall clock moves. */
const now = () => (typeof performance === 'undefined' ? Date.now() : performance.now())

export type Loop = ReturnType<typeof createLoop>
