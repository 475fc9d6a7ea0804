import { StoreFault } from '../store.ts'

/** Lets one writer through at a time. */
export interface WriteQueue {
  /**
   * Waits for a turn, in the order of asking, and gives until when the work may wait and what ends
   * the turn.
   */
  take(): Promise<Turn>
  /** Turns away whoever waits, and whoever comes. */
  close(): void
}

export interface Turn {
  /** By `performance.now()`. */
  readonly until: number
  end(): void
}

interface Waiter {
  readonly until: number
  readonly go: () => void
  readonly fail: (fault: StoreFault) => void
}

/**
 * Writers of one file wait here and not for its lock, which only the first may ask for: so they
 * keep their order, and a lock of another process costs one who tries. Whoever waits longer than
 * `waitMsMax` fails as the first would. All may wait equally long, so the first to come is the
 * first to fail, and one timer is enough.
 */
export function createWriteQueue(waitMsMax: number): WriteQueue {
  const waiting = new Set<Waiter>()
  let going = false
  let closed = false
  let timer: ReturnType<typeof setTimeout> | undefined

  function expire() {
    timer = undefined
    const now = performance.now()
    for (const waiter of waiting) {
      if (waiter.until > now) break
      waiting.delete(waiter)
      waiter.fail(new StoreFault('transient', { message: 'the file is locked', code: 'SQLITE_BUSY' }))
    }
    watch()
  }

  function watch() {
    const [first] = waiting
    if (!first) {
      clearTimeout(timer)
      timer = undefined
    } else timer ??= setTimeout(expire, Math.max(1, first.until - performance.now()))
  }

  function end() {
    const [next] = waiting
    if (next) {
      waiting.delete(next)
      next.go()
      watch()
    } else going = false
  }

  const isClosed = () => new StoreFault('transient', { message: 'the store is closed' })

  return {
    async take() {
      const until = performance.now() + waitMsMax
      if (closed) throw isClosed()
      if (going) {
        await new Promise<void>((go, fail) => {
          waiting.add({ until, go, fail })
          watch()
        })
      }
      going = true
      return { until, end }
    },
    close() {
      closed = true
      for (const { fail } of waiting) fail(isClosed())
      waiting.clear()
      watch()
    },
  }
}
