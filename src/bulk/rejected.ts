import { open, rm, stat, truncate } from 'node:fs/promises'
import type { Rejection } from '../model/errors.ts'
import type { Encoder } from './encode.ts'
import type { ImportLine } from './ndjson.ts'

/** A line that was rejected, as the file of rejected lines holds it. */
export interface RejectedLine {
  readonly line: number
  readonly error: Pick<Rejection, 'code' | 'detail'>
  /**
   * The line, or the record of a CSV file, as it came: to be mended and imported. None where it is
   * too long or no UTF-8.
   */
  readonly text?: string
}

export function toRejectedLine(line: number, error: Rejection, source: ImportLine['source']): RejectedLine {
  const { code, detail } = error
  const text = typeof source === 'object' ? source.text : source
  return { line, error: { code, detail }, ...(text !== undefined && text !== '' && { text }) }
}

/** The files of rejected lines, which come into being with the first of them. */
export interface RejectedFiles {
  /** Bytes that are in each. */
  readonly sizes: RejectedSizes
  append(lines: readonly RejectedLine[]): Promise<void>
}

export interface RejectedSizes {
  readonly rejectedBytes: number
  readonly rejectedRowsBytes: number
}

/** The rejected lines as they came, to be mended and imported with the same options. */
export interface RejectedRows {
  readonly path: string
  readonly encoder: Encoder
  /** What the file begins with, beside its byte order mark: the header of CSV. */
  readonly head: () => string
  readonly newline: () => string
}

/**
 * Opens them for an import that goes on from so many bytes, or begins (0): one of lines
 * `{"line":…,"error":…,"text":…}`, and one of the lines as they came, in the bytes of their file.
 * Those of another import are replaced; any other file is left alone: a `TypeError`.
 */
export async function openRejected(path: string, from: RejectedSizes, rows: RejectedRows): Promise<RejectedFiles> {
  const { rejectedBytes, rejectedRowsBytes } = from
  const isReport = await readStart(path).then(
    (start) => start.startsWith('{"line":'),
    () => false,
  )
  // The lines as they came are anybody's: their file is known by the report beside it, which a kill
  // must not leave missing. So the report is written first and goes last.
  await cutFile(rows.path, rejectedRowsBytes, isReport)
  await cutFile(path, rejectedBytes, isReport)
  const report = appender(path, rejectedBytes)
  const copies = appender(rows.path, rejectedRowsBytes)
  return {
    get sizes() {
      return { rejectedBytes: report.bytes, rejectedRowsBytes: copies.bytes }
    },
    async append(lines) {
      const texts = lines.flatMap(({ text }) => (text === undefined ? [] : [text + rows.newline()]))
      const head = rows.head()
      const begin = copies.bytes > 0 || head === '' ? '' : head + rows.newline()
      const mark = copies.bytes > 0 ? [] : [rows.encoder.mark]
      if (lines.length > 0)
        await report.append([Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))])
      if (texts.length > 0) await copies.append([...mark, rows.encoder.encode(begin + texts.join(''))])
    },
  }
}

/** Cuts a file to what an import had written, or takes it away. `isOurs`: whether it may. */
async function cutFile(path: string, size: number, isOurs: boolean): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (size > 0) {
    if ((found?.size ?? 0) < size)
      throw new TypeError(`${path} is no longer as the import left it. Begin anew with --anew.`)
    // Lines after these come again.
    await truncate(path, size)
  } else if (found) {
    if (found.size > 0 && !isOurs) {
      throw new TypeError(`${path} is there already, and holds no rejected lines. Name another file: --rejected …`)
    }
    await rm(path)
  }
}

async function readStart(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(16), position: 0 })
    return buffer.subarray(0, bytesRead).toString()
  } finally {
    await file.close()
  }
}

function appender(path: string, size: number) {
  let bytes = size
  return {
    get bytes() {
      return bytes
    },
    async append(blocks: readonly Uint8Array[]): Promise<void> {
      const block = Buffer.concat(blocks)
      const file = await open(path, 'a')
      try {
        await file.writeFile(block)
      } finally {
        await file.close()
      }
      bytes += block.length
    },
  }
}
