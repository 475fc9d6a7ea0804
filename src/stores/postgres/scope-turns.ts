import { StoreFault } from '../store.ts'

/** Lets batches of each scope through, so many at once. */
export interface ScopeTurns {
  /** Waits for a turn, in the order of asking, and gives the function that ends it. */
  take(scope: string): Promise<() => void>
}

/**
 * Writers of one scope wait for each other at its lock, each on a connection of the pool, and
 * readers of a large one take long. Without turns those of one busy scope, or of one whose lock
 * somebody holds, would take every connection, and all other scopes wait with them. Whoever waits
 * longer than `waitMsMax` fails as when no connection comes free.
 */
export function createScopeTurns(atOnceMax: number, waitMsMax: number): ScopeTurns {
  const lines = new Map<string, { going: number; readonly waiting: Set<() => void> }>()
  return {
    async take(scope) {
      const line = lines.get(scope) ?? { going: 0, waiting: new Set() }
      lines.set(scope, line)
      if (line.going < atOnceMax) line.going++
      else await untilCalled(line.waiting, waitMsMax)
      return () => {
        const [next] = line.waiting
        // The place goes on to whoever waits longest.
        if (next) next()
        else if (--line.going === 0) lines.delete(scope)
      }
    },
  }
}

function untilCalled(waiting: Set<() => void>, msMax: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = () => {
      clearTimeout(timer)
      waiting.delete(call)
      resolve()
    }
    const timer = setTimeout(() => {
      waiting.delete(call)
      reject(new StoreFault('transient', { message: 'too many batches wait for the same scope' }))
    }, msMax)
    waiting.add(call)
  })
}
