/** Changes that are handled in one go: some milliseconds of work. */
export const turnChanges = 1_000

/** Lets others go first, timers and requests, between two pieces of long work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
