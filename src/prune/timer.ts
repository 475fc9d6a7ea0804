import { setTimeout as sleep } from 'node:timers/promises'

/**
 * How often a server prunes: marks are further apart, and a run with nothing to do only reads the
 * list of scopes.
 */
const times = { firstMs: 60_000, everyMs: 3_600_000 }

/**
 * Prunes in the background, from a minute after the start on. A run that fails is told and tried
 * again an hour later. Servers that were started together prune at different moments. Gives what
 * ends it.
 */
export function startPruning(
  run: (signal: AbortSignal) => Promise<unknown>,
  onError: (error: unknown) => void,
  { firstMs, everyMs } = times,
): () => void {
  const controller = new AbortController()
  const { signal } = controller
  const loop = async () => {
    for (let wait = firstMs; ; wait = everyMs) {
      await sleep(wait * (1 + Math.random()), undefined, { signal, ref: false })
      await run(signal).catch(onError)
    }
  }
  loop().catch(() => {})
  return () => controller.abort()
}
