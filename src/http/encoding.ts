import { pipeline, Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { malformed } from '../wire/request.ts'

/** The encodings that a body may have. */
export type Encoding = 'identity' | 'gzip' | 'deflate'

const encodings: ReadonlyMap<string, Encoding> = new Map([
  ['', 'identity'],
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
])

/**
 * The encoding of a body, in any case. Several of them, or another, are a `Problem` that says which
 * are taken.
 */
export function readEncoding(headers: Headers): Encoding {
  const encoding = encodings.get((headers.get('content-encoding') ?? '').trim().toLowerCase())
  if (encoding !== undefined) return encoding
  const detail = 'The Content-Encoding may be gzip, deflate (in the format of zlib) or identity, and one of them.'
  throw new Problem('unsupported_media_type', detail, { headers: { 'Accept-Encoding': 'gzip, deflate' } })
}

/**
 * The bytes of a body without its encoding, as they come. By zlib on every runtime: the standard's
 * `DecompressionStream` ends with the first member of a gzip in some. Throws a `Problem` also where
 * the body is cut, damaged, or goes on after its end.
 */
export async function* decodeBody(
  source: AsyncIterable<Uint8Array>,
  encoding: Encoding,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (encoding === 'identity') return yield* source
  const zlib = encoding === 'gzip' ? createGunzip(options) : createInflate(options)
  let sent = 0
  async function* count() {
    for await (const bytes of source) {
      sent += bytes.length
      yield bytes
    }
  }
  try {
    // What is wrong with either stream ends the other, and is thrown here.
    yield* pipeline(Readable.from(count(), { objectMode: true, highWaterMark: 1 }), zlib, () => {})
  } catch (error) {
    throw error instanceof Problem ? error : malformed(`The body is no ${encoding}, or ended too early.`)
  }
  // Behind a gzip zlib itself lets nothing stand but another one, or zeros.
  if (encoding === 'deflate' && zlib.bytesWritten !== sent) throw malformed('The body goes on after its deflate.')
}

const options = { chunkSize: 64 * 1024 }

/**
 * The same for a body of any length: what inflates to far more than any text does is refused while
 * it comes.
 */
export async function* decodeLong(
  source: AsyncIterable<Uint8Array>,
  encoding: Encoding,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (encoding === 'identity') return yield* source
  let [sent, bytes] = [0, 0]
  async function* count() {
    for await (const chunk of source) {
      sent += chunk.length
      yield chunk
    }
  }
  for await (const chunk of decodeBody(count(), encoding)) {
    bytes += chunk.length
    if (bytes > limits.importInflationFreeBytes + sent * limits.importInflationMax) {
      throw new Problem(
        'body_too_large',
        `The ${encoding} inflates to more than ${limits.importInflationMax} times its size. Send it without.`,
      )
    }
    yield chunk
  }
}
