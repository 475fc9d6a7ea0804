import { Problem } from '../errors.ts'
import { limits } from '../limits.ts'
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

/** A byte order mark is passed over. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text)
  } catch (error) {
    // The engine's message repeats a piece of the body: only its place goes on.
    const place = /at position (\d+)/.exec(String(error))?.[1]
    const where =
      text === ''
        ? 'it is empty'
        : place
          ? `the error is at character ${place}`
          : 'it ends too early or holds a stray character'
    throw malformed(`The body must be JSON: ${where}.`)
  }
}

function checkHeaders(headers: Headers): void {
  const [type, ...parameters] = (headers.get('content-type') ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice('charset='.length)
    .replaceAll('"', '')
  if (type !== 'application/json' || (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8')) {
    throw new Problem('unsupported_media_type', 'Send the header Content-Type: application/json, and UTF-8.')
  }
  const encoding = headers.get('content-encoding')?.toLowerCase() ?? 'identity'
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
