/** The encodings that a body may have beside none. */
export type Compression = 'gzip' | 'deflate'

/**
 * The bytes of a body without its encoding, as they come. Throws what `source` throws; and anything
 * where the body is cut, damaged, or goes on after its end.
 */
export type Inflate = (source: AsyncIterable<Uint8Array>, encoding: Compression) => AsyncIterable<Uint8Array>

/**
 * By the standard's stream, which every runtime has. To most of them a gzip of several members goes
 * on after its end: where there is zlib take `nodeInflate`.
 */
export const standardInflate: Inflate = async function* inflate(source, encoding) {
  const { readable, writable } = new DecompressionStream(encoding)
  const reader = readable.getReader()
  const fed = feed(source, writable.getWriter())
  try {
    for (;;) {
      const { value, done } = await reader.read().catch(async (error: unknown) => {
        throw fed.fault ?? error
      })
      if (done) return
      yield value
    }
  } finally {
    // Not awaited: a source that stands still would be waited for.
    reader.cancel().catch(() => {})
  }
}

/**
 * Writes what comes, as fast as it is read. What is wrong with the source stands in the result
 * before the other end learns of it.
 */
function feed(source: AsyncIterable<Uint8Array>, writer: WritableStreamDefaultWriter<BufferSource>) {
  const fed: { fault?: unknown } = {}
  const write = async () => {
    try {
      for await (const bytes of source) await writer.write(bytes as Uint8Array<ArrayBuffer>)
      await writer.close()
    } catch (error) {
      fed.fault = error
      await writer.abort(error)
    }
  }
  write().catch(() => {})
  return fed
}
