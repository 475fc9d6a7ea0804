/** Runs one after the other, in the order in which they come. */
export function createMutex(): <R>(work: () => R | Promise<R>) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const run = last.then(work, work)
    last = run.catch(() => {})
    return run
  }
}
