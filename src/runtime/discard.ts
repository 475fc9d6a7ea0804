import { limits } from '../model/limits.ts'

/** How long nothing of a body may come before it is given up, in milliseconds. */
const idleMsMax = 1_000

/**
 * Reads what is left of a request that was refused by its head. Whoever is cut off while he sends
 * would have no answer at all; and `wrangler dev` would read it to its end before the answer goes
 * out, so that a body which never comes would hold the answer back. So it is read as long as it
 * comes, up to twice the largest body.
 */
export async function discard({ body, bodyUsed }: Request): Promise<void> {
  if (bodyUsed || !body || body.locked) return
  const reader = body.getReader()
  try {
    for (let bytes = 0; bytes < 2 * limits.bodyBytesMax; ) {
      const read = await within(reader.read())
      if (!read || read.done) break
      bytes += read.value.length
    }
  } catch {
    // Whoever sent it is gone.
  }
  reader.cancel().catch(() => {})
}

function within<Value>(promise: Promise<Value>): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), idleMsMax)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
