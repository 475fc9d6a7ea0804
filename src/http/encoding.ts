import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { malformed } from '../wire/request.ts'
import type { Compression, Inflate } from './inflate.ts'

/** The encodings that a body may have. */
export type Encoding = 'identity' | Compression

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

/** A body as it comes, and what takes its encoding off. */
export interface Arriving {
  readonly bytes: AsyncIterable<Uint8Array>
  readonly inflate: Inflate
}

/**
 * The bytes of a body without its encoding, as they come. Throws a `Problem` also where the body is
 * cut, damaged, or goes on after its end.
 */
export async function* decodeBody(
  { bytes, inflate }: Arriving,
  encoding: Encoding,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (encoding === 'identity') return yield* bytes
  try {
    yield* inflate(bytes, encoding)
  } catch (error) {
    throw error instanceof Problem
      ? error
      : malformed(`The body is no ${encoding}, ended too early, or goes on after its end.`)
  }
}

/**
 * The same for a body of any length: what inflates to far more than any text does is refused while
 * it comes.
 */
export async function* decodeLong(arriving: Arriving, encoding: Encoding): AsyncGenerator<Uint8Array, void, undefined> {
  if (encoding === 'identity') return yield* arriving.bytes
  let [sent, length] = [0, 0]
  async function* count() {
    for await (const chunk of arriving.bytes) {
      sent += chunk.length
      yield chunk
    }
  }
  for await (const chunk of decodeBody({ ...arriving, bytes: count() }, encoding)) {
    length += chunk.length
    if (length > limits.importInflationFreeBytes + sent * limits.importInflationMax) {
      throw new Problem(
        'body_too_large',
        `The ${encoding} inflates to more than ${limits.importInflationMax} times its size. Send it without.`,
      )
    }
    yield chunk
  }
}
