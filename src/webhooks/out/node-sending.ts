import { setTimeout as sleep } from 'node:timers/promises'
import type { Endpoint } from './endpoints.ts'
import type { Sender } from './send.ts'

export interface SendingOptions {
  readonly sender: Sender
  readonly endpoints: readonly Endpoint[]
  /**
   * Where each scope has its own database: the scopes in which something waits. Asked for at the
   * start and every hour.
   */
  readonly findScopes?: () => Promise<readonly string[]>
  readonly everyMs?: number
  readonly findMs?: number
}

/** Sends in the background of a Node process. */
export interface Sending {
  /** Something may have been recorded for the scope. Returns at once and never throws. */
  kick(scope: string): void
  /**
   * What is under way has come to its end, or takes longer than a stopping server waits. Begin
   * nothing after it.
   */
  stop(): Promise<void>
}

/** Scopes that are sent at once beside the timer. */
const kicksMax = 16
const stopMsMax = 1_000

/**
 * At once after a commit, and every few seconds what is due again or was left by a process that
 * died. Several processes may do this over one database: each delivery is claimed by one.
 */
export function startSending(options: SendingOptions): Sending {
  const { sender, endpoints, findScopes, everyMs = 5_000, findMs = 3_600_000 } = options
  const controller = new AbortController()
  const { signal } = controller
  const underWay = new Set<Promise<unknown>>()
  const busy = new Set<Endpoint>()
  /**
   * When something is due, of scopes with a database of their own that are known to wait, in
   * milliseconds.
   */
  const dueAt = new Map<string, number>()
  let kicks = 0
  let missed = false
  let foundAt = Number.NEGATIVE_INFINITY

  function run(work: Promise<unknown>): Promise<unknown> {
    underWay.add(work)
    return work.finally(() => underWay.delete(work))
  }

  async function sendScope(scope: string): Promise<void> {
    kicks++
    const next = await sender.sendScope(scope)
    kicks--
    if (findScopes && next !== undefined) dueAt.set(scope, next)
    if (missed && kicks < kicksMax && !signal.aborted) tick()
  }

  /** One slow endpoint holds back neither the others nor the next round. */
  function tick(): void {
    missed = false
    if (findScopes) tickScopes()
    for (const endpoint of findScopes ? [] : endpoints) {
      if (busy.has(endpoint)) continue
      busy.add(endpoint)
      void run(sender.sendDue(endpoint).finally(() => busy.delete(endpoint)))
    }
  }

  function tickScopes(): void {
    const now = Date.now()
    for (const [scope, at] of dueAt) {
      if (at > now) continue
      if (kicks >= kicksMax) {
        missed = true
        return
      }
      dueAt.delete(scope)
      void run(sendScope(scope))
    }
  }

  async function find(): Promise<void> {
    if (!findScopes || performance.now() - foundAt < findMs) return
    foundAt = performance.now()
    for (const scope of await findScopes().catch(() => [])) dueAt.set(scope, 0)
  }

  const loop = async () => {
    for (;;) {
      await find()
      tick()
      await sleep(everyMs * (0.8 + Math.random() * 0.4), undefined, { signal, ref: false })
    }
  }
  loop().catch(() => {})

  return {
    kick(scope) {
      if (!sender.matches(scope)) return
      // After the answer of the push that this comes from.
      setImmediate(() => {
        if (signal.aborted) return
        if (kicks < kicksMax) void run(sendScope(scope))
        else {
          missed = true
          if (findScopes) dueAt.set(scope, 0)
        }
      })
    },
    async stop() {
      controller.abort()
      await Promise.race([Promise.allSettled(underWay), sleep(stopMsMax, undefined, { ref: false })])
    },
  }
}
