import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import { GrowingBytes } from '../wire/growing-bytes.ts'
import { parseJson } from '../wire/json-fault.ts'
import { malformed } from '../wire/request.ts'
import { type Arriving, decodeBody, readEncoding } from './encoding.ts'

/** A body as text, and the bytes it had. */
export interface TextBody {
  readonly text: string
  readonly bytes: number
}

/**
 * Reads a JSON body: its type and encoding, its size while it arrives, its UTF-8, its syntax.
 * Throws a `Problem`.
 */
export async function readJson(
  headers: Headers,
  arriving: Arriving,
): Promise<{ readonly value: unknown; readonly bytes: number }> {
  const { text, bytes } = await readText(headers, arriving)
  return { value: parseJson(text), bytes }
}

/**
 * The same up to the syntax. A byte order mark stays: what was signed is the body as it is without
 * its encoding.
 */
export async function readText(headers: Headers, arriving: Arriving): Promise<TextBody> {
  checkType(headers, 'application/json')
  const encoding = readEncoding(headers)
  if (Number(headers.get('content-length') ?? 0) > limits.bodyBytesMax) throw tooLarge()
  const body = new GrowingBytes()
  const bytes = withinBytes(arriving.bytes, limits.bodyBytesMax)
  for await (const chunk of decodeBody({ ...arriving, bytes }, encoding)) {
    if (body.length + chunk.length > limits.bodyBytesMax) throw tooLarge()
    body.add(chunk)
  }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body.view()), bytes: body.length }
  } catch {
    throw malformed('The body must be UTF-8.')
  }
}

/** What is compressed may inflate to nothing, and so be of any length. */
async function* withinBytes(source: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > bytesMax) throw tooLarge()
    yield chunk
  }
}

/** Throws a `Problem` where a body is not in UTF-8 and of that type. */
export function checkType(headers: Headers, expected: string): void {
  const [type, ...parameters] = (headers.get('content-type') ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice('charset='.length)
    .replaceAll('"', '')
  if (type !== expected || (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8')) {
    throw new Problem('unsupported_media_type', `Send the header Content-Type: ${expected}, and UTF-8.`)
  }
}

function tooLarge(): Problem {
  return new Problem(
    'body_too_large',
    `A body may have ${limits.bodyBytesMax} bytes at most. Send fewer changes at a time.`,
  )
}
