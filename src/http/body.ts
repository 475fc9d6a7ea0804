import { Problem } from '../errors.ts'
import { limits } from '../limits.ts'
import { parseExact } from '../sync/exact.ts'
import { malformed } from '../sync/request.ts'

/** A body as text, and the bytes it had. */
export interface TextBody {
  readonly text: string
  readonly bytes: number
}

/** Reads a JSON body: its type and encoding, its size while it arrives, its UTF-8, its syntax. Throws a `Problem`. */
export async function readJson(request: Request): Promise<{ readonly value: unknown; readonly bytes: number }> {
  const { text, bytes } = await readText(request)
  return { value: parseJson(text), bytes }
}

/** The same up to the syntax. A byte order mark stays: what was signed is the body as it came. */
export async function readText(request: Request): Promise<TextBody> {
  checkHeaders(request.headers)
  const chunks = await readChunks(request)
  const body = chunks.length === 1 && chunks[0] ? chunks[0] : join(chunks)
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body), bytes: body.length }
  } catch {
    throw malformed('The body must be UTF-8.')
  }
}

/** A byte order mark is passed over, and no number is rounded. */
export function parseJson(text: string): unknown {
  const json = text.startsWith('\ufeff') ? text.slice(1) : text
  try {
    return parseExact(json)
  } catch {
    throw malformed(`The body must be JSON: ${sayWhere(json)}.`)
  }
}

/** Above this a search would cost more than it tells. */
const searchedLengthMax = 256 * 1024

/**
 * Where a text ceases to be JSON. The engine's message repeats a piece of the body, which must not go on, and seldom
 * has the place. A text that could still become JSON fails at its very end: the longest beginning of that kind, found by
 * halving, ends where the fault is.
 */
export function sayWhere(json: string): string {
  if (json === '') return 'it is empty'
  if (canGoOn(json)) return `it ends too early, after ${json.length} characters`
  if (json.length > searchedLengthMax) return 'it holds a stray character'
  let [good, bad] = [0, json.length]
  while (bad - good > 1) {
    const half = (good + bad) >> 1
    if (canGoOn(json.slice(0, half))) good = half
    else bad = half
  }
  return `the error is at character ${good}`
}

/** Whether more text could make it JSON. */
function canGoOn(json: string): boolean {
  try {
    JSON.parse(json)
    return true
  } catch (error) {
    const place = /at position (\d+)/.exec(String(error))?.[1]
    return place === undefined ? /Unexpected end/.test(String(error)) : Number(place) === json.length
  }
}

/** The encoding of a body in UTF-8 of that type, or a `Problem`. */
export function checkType(headers: Headers, expected: string): string {
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
  return headers.get('content-encoding')?.toLowerCase() ?? 'identity'
}

function checkHeaders(headers: Headers): void {
  const encoding = checkType(headers, 'application/json')
  if (encoding !== 'identity') throw new Problem('unsupported_media_type', 'Send the body without a Content-Encoding.')
  if (Number(headers.get('content-length') ?? 0) > limits.bodyBytesMax) throw tooLarge()
}

async function readChunks(request: Request): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  if (!request.body) return chunks
  try {
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (bytes > limits.bodyBytesMax) throw tooLarge()
      chunks.push(chunk)
    }
  } catch (error) {
    // Whoever sent half a body is gone: no fault of the server's.
    throw error instanceof Problem ? error : malformed('The body ended too early.')
  }
  return chunks
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    joined.set(chunk, at)
    at += chunk.length
  }
  return joined
}

function tooLarge(): Problem {
  return new Problem(
    'body_too_large',
    `A body may have ${limits.bodyBytesMax} bytes at most. Send fewer changes at a time.`,
  )
}
