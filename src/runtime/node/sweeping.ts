import { setTimeout as sleep } from 'node:timers/promises'

const everyMs = 1_000

/**
 * Looks every second for what the app's own SQL has touched, so that phones that listen hear of it
 * though nobody pulls. A run that fails is told, once until one passes again. Gives what ends it.
 */
export function startSweeping(sweep: () => Promise<void>, onError: (error: unknown) => void): () => void {
  const controller = new AbortController()
  const { signal } = controller
  let isTold = false
  const loop = async () => {
    for (;;) {
      await sleep(everyMs, undefined, { signal, ref: false })
      try {
        await sweep()
        isTold = false
      } catch (error) {
        if (!isTold) onError(error)
        isTold = true
      }
    }
  }
  loop().catch(() => {})
  return () => controller.abort()
}
