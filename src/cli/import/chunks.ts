import { setImmediate } from 'node:timers/promises'
import { readCsvLines } from '../../bulk/csv/lines.ts'
import { NumberWatch } from '../../bulk/csv/number-text.ts'
import { readCsvRecords } from '../../bulk/csv/records.ts'
import { type JsonElement, readElements } from '../../bulk/json-elements.ts'
import { readersOf } from '../../bulk/json-kind.ts'
import { readMappedLines } from '../../bulk/map-rows.ts'
import { type ChunkSize, type ImportLine, parseLine, type ReadChunk, readLines } from '../../bulk/ndjson.ts'
import { readRowLines } from '../../bulk/row-lines.ts'
import { readTextBlocks } from '../../bulk/text-blocks.ts'
import { limits } from '../../model/limits.ts'
import type { Table } from '../../model/table.ts'
import type { ImportInput } from './input-bytes.ts'
import type { ImportOptions } from './options.ts'

/** Who is told of what stands before the rows, and who looks at their numbers. */
export interface ChunkWatchers {
  readonly watch?: NumberWatch
  readonly onHead?: (text: string) => void
  /** The lines up to this one are done with: no mapping is asked for them. */
  readonly after?: number
}

/**
 * The chunks of a file or of standard input. `at`: the stamp of the rows, where they have one for
 * all.
 */
export function readChunks(
  { app, format, from, csv, rows, table: tableName, mapping }: ImportOptions,
  { bytes, paths }: Pick<ImportInput, 'bytes' | 'paths'>,
  at: number | undefined,
  size: ChunkSize,
  { watch = new NumberWatch(), onHead, after }: ChunkWatchers = {},
): AsyncGenerator<ReadChunk> {
  const table = app.schema.tablesByName.get(tableName ?? '') as Table
  const readJson = () => (paths ? readElementLines(readElements(bytes, paths), size) : readLines(bytes, size))
  if (!rows) return readJson()
  const options = { ...rows, table, at, read: from && readersOf[from], isJsonText: from === 'sqlite' }
  const blocks = () => readTextBlocks(bytes, limits.changeBytesMax)
  const form = { ...csv, ...(onHead && { onHead }) }
  if (mapping) {
    const records = format === 'csv' ? readCsvRecords(blocks(), { ...form, ...rows, watch }, size) : readJson()
    return readMappedLines(records, mapping.map, options, { watch, after })
  }
  if (format === 'csv') return readCsvLines(blocks(), { ...form, ...options }, size, watch)
  return readRowLines(readJson(), options, watch)
}

/** The elements of a JSON text as lines, which are counted as they are. */
async function* readElementLines(
  elements: AsyncIterable<JsonElement>,
  { linesMax, textMax, firstMax = linesMax }: ChunkSize,
): AsyncGenerator<ReadChunk> {
  let lines: ImportLine[] = []
  let text = 0
  let last = 0
  let wanted = firstMax
  for await (const source of elements) {
    last++
    lines.push({ line: last, source, ...(source.error ? { error: source.error } : parseLine(source.value)) })
    text += source.text.length
    if (lines.length < wanted && text < textMax) continue
    yield { lines, last }
    wanted = Math.min(2 * wanted, linesMax)
    lines = []
    text = 0
  }
  if (lines.length > 0) yield { lines, last }
}

/**
 * The chunks after a line, until the signal. A database file answers without leaving this thread:
 * between chunks Ctrl-C is heard and the progress is drawn. `true` at the end: all of them came.
 */
export async function* takeChunks(
  chunks: AsyncGenerator<ReadChunk>,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<ReadChunk, boolean> {
  for (;;) {
    await setImmediate()
    // Standard input may wait for ever: what it reads is left alone then.
    const read = signal.aborted ? undefined : await nextOrAbort(chunks, signal)
    if (!read) return false
    if (read.done) return true
    const { lines, last, ...more } = read.value
    const isNew = !lines[0] || lines[0].line > after
    if (last > after) yield { lines: isNew ? lines : lines.filter(({ line }) => line > after), last, ...more }
  }
}

/**
 * Nothing after the signal. (A race against one promise for all would hold every chunk until the
 * end.)
 */
function nextOrAbort<Item>(
  items: AsyncGenerator<Item>,
  signal: AbortSignal,
): Promise<IteratorResult<Item, unknown> | undefined> {
  return new Promise((resolve, reject) => {
    const stop = () => resolve(undefined)
    signal.addEventListener('abort', stop)
    items
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop))
  })
}
