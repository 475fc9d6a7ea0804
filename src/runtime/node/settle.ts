import { collectGarbage } from '../../stores/libsql/release-closed.ts'

/**
 * Gives back what starting took, some 8 MB: once, in the first second in which nobody asks for
 * anything, since it takes 20 to 50 ms. Without it the heap stays as wide as reading 250 files made
 * it, for as long as nothing happens. For Node: other runtimes look after that themselves.
 */
export function settle(
  requestsSoFar: () => number,
  everyMs = 1_000,
  collect: () => void = () => collectGarbage('last-resort'),
): void {
  if ('Bun' in globalThis || 'Deno' in globalThis) return
  let before = requestsSoFar()
  const timer = setInterval(() => {
    const now = requestsSoFar()
    if (now === before) {
      clearInterval(timer)
      collect()
    }
    before = now
  }, everyMs)
  // It keeps no process.
  timer.unref()
}
