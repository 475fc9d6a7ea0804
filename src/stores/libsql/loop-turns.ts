/** Gives the event loop a turn in time. The engine works in the thread that calls it, and nothing else runs meanwhile. */
export interface LoopTurns {
  /** Waits for a turn where the work since the last one took too long; else goes on at once. */
  ready(): Promise<void> | undefined
  /** Runs work that cannot be divided, and counts it. */
  run<Result>(work: () => Result): Result
}

/** Work may take so long at a stretch, in milliseconds, before others have their turn. */
export function createLoopTurns(workMsMax = 10): LoopTurns {
  let workMs = 0
  let turn: Promise<void> | undefined
  return {
    ready: () => (workMs >= workMsMax ? turn : undefined),
    run(work) {
      const began = performance.now()
      try {
        return work()
      } finally {
        workMs += performance.now() - began
        turn ??= new Promise((resolve) => {
          setImmediate(() => {
            workMs = 0
            turn = undefined
            resolve()
          })
        })
      }
    },
  }
}
