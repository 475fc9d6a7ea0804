/**
 * Gives the event loop a turn in time. The engine works in the thread that calls it, and nothing
 * else runs meanwhile.
 */
export interface LoopTurns {
  /**
   * Waits for a turn where the work since the last one took too long, or others wait already; else
   * goes on at once.
   */
  ready(): Promise<void> | undefined
  /** Runs work that cannot be divided, and counts it. */
  run<Result>(work: () => Result): Result
}

/**
 * Work may take so long at a stretch, in milliseconds, before others have their turn. Of many that
 * wait for one, each goes on when the one before is done: were all let through together, the loop
 * would wait for all of them.
 */
export function createLoopTurns(workMsMax = 10): LoopTurns {
  let workMs = 0
  let isTurnComing = false
  const waiting = new Set<() => void>()

  function callTurn(): void {
    if (isTurnComing) return
    isTurnComing = true
    setImmediate(() => {
      isTurnComing = false
      workMs = 0
      letNext()
    })
  }

  function letNext(): void {
    const [next] = waiting
    if (!next) return
    waiting.delete(next)
    // Whoever is let through may have nothing to do any more: the turn after comes in any case.
    callTurn()
    next()
  }

  return {
    ready() {
      if (workMs < workMsMax && waiting.size === 0) return undefined
      callTurn()
      return new Promise((resolve) => waiting.add(resolve))
    },
    run(work) {
      const began = performance.now()
      try {
        return work()
      } finally {
        workMs += performance.now() - began
        callTurn()
        if (workMs < workMsMax) letNext()
      }
    },
  }
}
