/** A terminal and npm may both pass one Ctrl-C on. */
const sameMs = 500

/**
 * The first Ctrl-C, or SIGTERM, aborts: what is under way may come to its end. The second ends the
 * process at once. Gives what takes the listeners away again.
 */
export function onInterrupt(controller: AbortController): () => void {
  let first = 0
  const interrupt = () => {
    if (!controller.signal.aborted) {
      first = performance.now()
      controller.abort()
    } else if (performance.now() - first > sameMs) {
      process.exit(130)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt)
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt)
  }
}
