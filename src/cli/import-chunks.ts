import { setImmediate } from 'node:timers/promises'
import { readCsvLines } from '../bulk/csv-lines.ts'
import { type ChunkSize, type ReadChunk, readLines } from '../bulk/lines.ts'
import { readTextBlocks } from '../bulk/text-blocks.ts'
import { limits } from '../limits.ts'
import { schema } from '../schema.ts'
import type { Table } from '../sync/table.ts'
import type { ImportOptions } from './import-options.ts'

/** The chunks of a file or of standard input. `at`: the stamp of the rows, where they have one for all. */
export function readChunks(
  { format, csv, table }: ImportOptions,
  bytes: AsyncIterable<Uint8Array>,
  at: number | undefined,
  size: ChunkSize,
): AsyncGenerator<ReadChunk> {
  if (format === 'ndjson') return readLines(bytes, size)
  const blocks = readTextBlocks(bytes, limits.changeBytesMax)
  const wish = { ...csv, table: schema.tablesByName.get(table ?? '') as Table, at }
  return readCsvLines(blocks, wish, size)
}

/**
 * The chunks after a line, until the signal. A database file answers without leaving this thread: between chunks
 * Ctrl-C is heard and the progress is drawn. `true` at the end: all of them came.
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
    const { lines, last } = read.value
    if (last > after)
      yield { lines: lines[0] && lines[0].line > after ? lines : lines.filter(({ line }) => line > after), last }
  }
}

/** Nothing after the signal. (A race against one promise for all would hold every chunk until the end.) */
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
