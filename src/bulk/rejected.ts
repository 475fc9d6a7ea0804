import { open, readFile, rm, stat, truncate } from 'node:fs/promises'
import Papa from 'papaparse'
import type { Rejection } from '../errors.ts'
import type { ImportLine } from './lines.ts'

/** A line that was rejected, as the file of rejected lines holds it. */
export interface RejectedLine {
  readonly line: number
  readonly error: Pick<Rejection, 'code' | 'detail'>
  /** The line, or the record of a CSV file, as it came: to be mended and imported. None where it is too long or no UTF-8. */
  readonly text?: string
}

export function toRejectedLine(line: number, error: Rejection, source: ImportLine['source'], delimiter: string) {
  const { code, detail } = error
  const text = typeof source === 'object' ? Papa.unparse([[...source]], { delimiter }) : source
  return { line, error: { code, detail }, ...(text !== undefined && { text }) } satisfies RejectedLine
}

/** The file of rejected lines, which comes into being with the first of them. */
export interface RejectedFile {
  /** Bytes that are in it. */
  readonly size: number
  append(lines: readonly RejectedLine[]): Promise<void>
}

/**
 * Opens it for an import that goes on from so many bytes, or begins (0). A file of another import is replaced; any other
 * file is left alone: a `TypeError`.
 */
export async function openRejected(path: string, size: number): Promise<RejectedFile> {
  const found = await stat(path).catch(() => undefined)
  if (found && size === 0) {
    if (found.size > 0 && !(await readFile(path, 'utf8')).startsWith('{"line":')) {
      throw new TypeError(`${path} is there already, and holds no rejected lines. Name another file: --rejected …`)
    }
    await rm(path)
  } else if (size > 0) {
    if ((found?.size ?? 0) < size)
      throw new TypeError(`${path} is no longer as the import left it. Begin anew with --anew.`)
    // Lines after these come again.
    await truncate(path, size)
  }
  let bytes = size
  return {
    get size() {
      return bytes
    },
    async append(lines) {
      if (lines.length === 0) return
      const text = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      const file = await open(path, 'a')
      try {
        await file.writeFile(text)
      } finally {
        await file.close()
      }
      bytes += text.length
    },
  }
}
