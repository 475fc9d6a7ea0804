import { pipeline, Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import type { Inflate } from '../http/inflate.ts'

/**
 * By zlib, which Node, Bun, Deno and workerd have. It works beside the thread in Node, and takes a
 * gzip of several members, as a log that was written to twice is.
 */
export const nodeInflate: Inflate = async function* inflate(source, encoding) {
  const zlib = encoding === 'gzip' ? createGunzip(options) : createInflate(options)
  let sent = 0
  async function* count() {
    for await (const bytes of source) {
      sent += bytes.length
      yield bytes
    }
  }
  // What is wrong with either stream ends the other, and is thrown here.
  yield* pipeline(Readable.from(count(), { objectMode: true, highWaterMark: 1 }), zlib, () => {})
  // Behind a gzip zlib itself lets nothing stand but another one, or zeros.
  if (encoding === 'deflate' && zlib.bytesWritten !== sent) throw new Error('The body goes on after its end')
}

const options = { chunkSize: 64 * 1024 }
