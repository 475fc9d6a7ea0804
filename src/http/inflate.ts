import { Problem } from '../errors.ts'
import { limits } from '../limits.ts'
import { malformed } from '../sync/request.ts'

/** Inflated without being measured: a small body of repeated lines may well be a hundredth of them. */
const freeBytes = 4 * 1024 * 1024

/**
 * The bytes of a body as they come, inflated where they are gzip. What inflates to far more than any text does is
 * refused while it comes. Throws a `Problem` also where the body ends too early.
 */
export async function* readBytes(body: ReadableStream<Uint8Array> | null, isGzip: boolean): AsyncGenerator<Uint8Array> {
  if (!body) return
  let sent = 0
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      sent += chunk.length
      controller.enqueue(chunk)
    },
  })
  const gunzip = new DecompressionStream('gzip') as unknown as ReadableWritablePair<Uint8Array, Uint8Array>
  const stream = isGzip ? body.pipeThrough(counted).pipeThrough(gunzip) : body
  let bytes = 0
  try {
    for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (isGzip && bytes > freeBytes + sent * limits.importInflationMax) {
        throw new Problem(
          'body_too_large',
          `The gzip inflates to more than ${limits.importInflationMax} times its size. Send it without.`,
        )
      }
      yield chunk
    }
  } catch (error) {
    if (error instanceof Problem) throw error
    throw malformed(isGzip ? 'The body is no gzip, or ended too early.' : 'The body ended too early.')
  }
}
