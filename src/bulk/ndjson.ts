import { type Rejection, rejection } from '../model/errors.ts'
import { parseExact } from '../model/exact.ts'
import { limits } from '../model/limits.ts'
import { GrowingBytes } from '../wire/growing-bytes.ts'
import { sayWhere } from '../wire/json-fault.ts'
import { endWithFeeds } from './line-ends.ts'

/**
 * One line of an import: what it holds, or why it can hold nothing. Lines are counted from 1, empty
 * ones too.
 */
export interface ImportLine {
  readonly line: number
  readonly value?: unknown
  /** Given: what a mapping made of it, in the place of its value. */
  readonly changes?: readonly unknown[]
  readonly error?: Rejection
  /**
   * As it came, for whoever shows it: the text of the line, or of what was found in one. None where
   * it is too long or no UTF-8.
   */
  readonly source?: string | { readonly text: string | undefined } | undefined
}

/** So many lines, and so much text in them and between them, make a chunk. */
export interface ChunkSize {
  readonly linesMax: number
  readonly textMax: number
  /**
   * Lines of the first one, where that is smaller, so that the database begins sooner; each has up
   * to twice those of the one before.
   */
  readonly firstMax?: number
}

/** Lines read so far, for whoever goes on from there. */
export interface ReadChunk {
  readonly lines: readonly ImportLine[]
  /** The number of the last line. */
  readonly last: number
  /** Records that a mapping passed over. */
  readonly passed?: number
}

const newline = 10

/**
 * Reads NDJSON in chunks of whole lines, as bytes come: no more than a chunk and a line is held. A
 * line that is too long, no UTF-8 or no JSON is one bad line. What it costs goes with the bytes,
 * however they are cut into chunks.
 */
export async function* readLines(
  source: AsyncIterable<Uint8Array>,
  { linesMax, textMax, firstMax = linesMax }: ChunkSize,
): AsyncGenerator<ReadChunk> {
  let lines: ImportLine[] = []
  let text = 0
  let last = 0
  const rest = new GrowingBytes()
  let isTooLong = false
  let wanted = firstMax
  let broken = 0

  function* take(block: Uint8Array): Generator<ReadChunk> {
    for (const one of decodeLines(block)) {
      last++
      // A file may be several that were put one behind the other, each with its mark.
      const content = one?.startsWith('\ufeff') ? one.slice(1) : one
      const line = isTooLong ? { error: tooLong } : parseLine(content, broken < limits.importRejectedMax)
      isTooLong = false
      if (line?.error) broken++
      if (line) lines.push({ line: last, source: one, ...line })
      text += (one?.length ?? 0) + 1
      // Empty lines, millions of them, make no chunk, and so no answer.
      if (lines.length >= wanted || (text >= textMax && lines.length > 0)) {
        yield { lines, last }
        wanted = Math.min(2 * wanted, linesMax)
        lines = []
        text = 0
      }
    }
  }

  for await (const bytes of endWithFeeds(source)) {
    const end = bytes.lastIndexOf(newline)
    if (end !== -1) {
      rest.add(bytes.subarray(0, end))
      yield* take(rest.view())
      rest.clear()
    }
    rest.add(bytes.subarray(end + 1))
    if (rest.length > limits.changeBytesMax) {
      isTooLong = true
      rest.clear()
    }
  }
  if (rest.length > 0 || isTooLong) yield* take(rest.view())
  if (lines.length > 0 || text > 0) yield { lines, last }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The lines of a block, `undefined` for one that is no UTF-8. All at once, and one by one only
 * where one is bad.
 */
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

/**
 * Nothing for an empty line. Where the fault is is only said of so many lines: to look for it costs
 * as much as to read the line some twenty times, and to see a fault at all more than to see that a
 * line is surely no object.
 */
export function parseLine(text: string | undefined, says = true): Omit<ImportLine, 'line'> | undefined {
  if (text === undefined) return { error: rejection('invalid_change', 'The line must be UTF-8.') }
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  if (text.length * 3 > limits.changeBytesMax && new TextEncoder().encode(text).length > limits.changeBytesMax)
    return { error: tooLong }
  if (!says && !(trimmed.startsWith('{') && trimmed.endsWith('}'))) return { error: noObject }
  try {
    return { value: parseExact(text) }
  } catch {
    return { error: says ? rejection('invalid_change', `The line must be JSON: ${sayWhere(text)}.`) : noObject }
  }
}

const noObject = rejection('invalid_change', 'The line must be JSON, an object.')

const tooLong = rejection('too_large', `A line may have ${limits.changeBytesMax} bytes at most.`)
