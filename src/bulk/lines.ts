import { type Rejection, rejection } from '../errors.ts'
import { sayWhere } from '../http/body.ts'
import { limits } from '../limits.ts'

/** One line of an import: what it holds, or why it can hold nothing. Lines are counted from 1, empty ones too. */
export interface ImportLine {
  readonly line: number
  readonly value?: unknown
  readonly error?: Rejection
  /** As it came, for whoever shows it: the text of the line, or of what was found in one. None where it is too long or no UTF-8. */
  readonly source?: string | { readonly text: string | undefined } | undefined
}

/** So many lines, and so much text in them, make a chunk. */
export interface ChunkSize {
  readonly linesMax: number
  readonly textMax: number
  /** Lines of the first one, where that is smaller, so that the database begins sooner; each has up to twice those of the one before. */
  readonly firstMax?: number
}

/** Lines read so far, for whoever goes on from there. */
export interface ReadChunk {
  readonly lines: readonly ImportLine[]
  /** The number of the last line. */
  readonly last: number
}

const newline = 10

/**
 * Reads NDJSON in chunks of whole lines, as bytes come: no more than a chunk and a line is held. A line that is too
 * long, no UTF-8 or no JSON is one bad line.
 */
export async function* readLines(
  source: AsyncIterable<Uint8Array>,
  { linesMax, textMax, firstMax = linesMax }: ChunkSize,
): AsyncGenerator<ReadChunk> {
  let lines: ImportLine[] = []
  let text = 0
  let last = 0
  let rest = new Uint8Array(0)
  let isTooLong = false
  let wanted = firstMax

  function* take(block: Uint8Array): Generator<ReadChunk> {
    for (const one of decodeLines(block)) {
      last++
      const line = isTooLong ? { error: tooLong } : parseLine(last === 1 ? one?.replace(/^\ufeff/, '') : one)
      isTooLong = false
      if (line) lines.push({ line: last, source: one, ...line })
      text += one?.length ?? 0
      if (lines.length >= wanted || text >= textMax) {
        yield { lines, last }
        wanted = Math.min(2 * wanted, linesMax)
        lines = []
        text = 0
      }
    }
  }

  for await (const bytes of source) {
    const end = bytes.lastIndexOf(newline)
    if (end === -1) {
      rest = join(rest, bytes)
    } else {
      yield* take(join(rest, bytes.subarray(0, end)))
      rest = bytes.slice(end + 1)
    }
    if (rest.length > limits.changeBytesMax) {
      isTooLong = true
      rest = new Uint8Array(0)
    }
  }
  if (rest.length > 0 || isTooLong) yield* take(rest)
  if (lines.length > 0) yield { lines, last }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The lines of a block, `undefined` for one that is no UTF-8. All at once, and one by one only where one is bad. */
function decodeLines(block: Uint8Array): readonly (string | undefined)[] {
  try {
    return decoder.decode(block).split('\n')
  } catch {
    const lines: (string | undefined)[] = []
    for (let from = 0; from <= block.length; ) {
      const found = block.indexOf(newline, from)
      const end = found === -1 ? block.length : found
      try {
        lines.push(decoder.decode(block.subarray(from, end)))
      } catch {
        lines.push(undefined)
      }
      from = end + 1
    }
    return lines
  }
}

/** Nothing for an empty line. */
export function parseLine(text: string | undefined): Omit<ImportLine, 'line'> | undefined {
  if (text === undefined) return { error: rejection('invalid_change', 'The line must be UTF-8.') }
  if (text.trim() === '') return undefined
  if (text.length * 3 > limits.changeBytesMax && new TextEncoder().encode(text).length > limits.changeBytesMax)
    return { error: tooLong }
  try {
    return { value: JSON.parse(text) }
  } catch {
    return { error: rejection('invalid_change', `The line must be JSON: ${sayWhere(text)}.`) }
  }
}

const tooLong = rejection('too_large', `A line may have ${limits.changeBytesMax} bytes at most.`)

function join(before: Uint8Array, after: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(before.length + after.length)
  joined.set(before)
  joined.set(after, before.length)
  return joined
}
