import { setTimeout as sleep } from 'node:timers/promises'
import { isTooSlow } from './fault.ts'
import { type Store, StoreFault } from './store.ts'

export interface PatienceOptions {
  /** How long to wait before each further try, in milliseconds. */
  readonly pausesMs?: readonly number[]
  /** Told before each wait. */
  readonly onWait?: (fault: StoreFault, pauseMs: number) => void
  /** Ends the waiting: the fault is thrown then. */
  readonly signal?: AbortSignal
}

/** About half a minute: as long as a database takes to start anew. */
const pauses = [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]

/**
 * A store that tries a batch again while the database is away: for a command that nobody else waits
 * for. What the lost try may have committed is a duplicate in the next one (P5). A full disk does
 * not empty itself, and a rehearsal that took too long would again.
 */
export function retryingStore(store: Store, { pausesMs = pauses, onWait, signal }: PatienceOptions = {}): Store {
  async function patiently<Result>(work: () => Promise<Result>, isFinal = (_: StoreFault) => false): Promise<Result> {
    for (let tries = 0; ; tries++) {
      try {
        return await work()
      } catch (fault) {
        const pauseMs = pausesMs[tries]
        if (!(fault instanceof StoreFault) || fault.kind !== 'transient' || isDiskFault(fault) || isFinal(fault))
          throw fault
        if (pauseMs === undefined || signal?.aborted) throw fault
        onWait?.(fault, pauseMs)
        // Woken by the signal it tries once more, and no more.
        await sleep(pauseMs, undefined, { ...(signal && { signal }) }).catch(() => {})
      }
    }
  }
  const { rehearse } = store
  return {
    ...store,
    batch: (scope, statements) => patiently(() => store.batch(scope, statements)),
    ...(rehearse && { rehearse: (scope, rehearsal) => patiently(() => rehearse(scope, rehearsal), isTooSlow) }),
  }
}

/** Whether the database cannot write: its disk is full or sick, or a quota is reached. */
export const isDiskFault = ({ code = '' }: StoreFault): boolean =>
  /^(53100|58030|XX000|SQLITE_FULL|SQLITE_IOERR\w*)$/.test(code)
