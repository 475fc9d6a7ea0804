import { checkLines } from '../../bulk/check.ts'
import { NumberWatch } from '../../bulk/csv/number-text.ts'
import { encoderOf } from '../../bulk/encode.ts'
import { chunkSize, createImport, importChunks, type LineOptions } from '../../bulk/import.ts'
import { openRejected, type RejectedLine, toRejectedLine } from '../../bulk/rejected.ts'
import { type ImportState, writeState } from '../../bulk/resume.ts'
import type { Settings } from '../../runtime/settings.ts'
import { retryingStore } from '../../stores/retrying.ts'
import { createOperations } from '../../sync/sync.ts'
import { createRecorder } from '../../webhooks/out/record.ts'
import { readChunks, takeChunks } from './chunks.ts'
import type { ImportDatabase } from './database.ts'
import type { ImportInput } from './input-bytes.ts'
import type { ImportOptions } from './options.ts'
import type { ImportProgress } from './progress.ts'
import type { ImportSource } from './source.ts'

/**
 * How often the state is written, in milliseconds: what came since comes again after a crash, as
 * duplicates.
 */
const stateMs = 1_000

/** All that an import needs, once it is known where it begins. */
export interface ImportRun {
  readonly options: ImportOptions
  readonly settings: Pick<Settings, 'clockDriftMsMax' | 'deliveries'>
  readonly source: ImportSource
  readonly input: ImportInput
  /** Nothing where nothing is stored. */
  readonly database: ImportDatabase | undefined
  /** Where it begins, and where it is kept: not for standard input. */
  readonly state: ImportState
  readonly statePath: string | undefined
  readonly lineOptions: LineOptions
  readonly progress: ImportProgress
  /** Told of the lines that were rejected. */
  readonly onRejected: (lines: readonly RejectedLine[]) => void
  readonly signal: AbortSignal
}

/** How an import ended. */
export interface ImportEnd {
  readonly state: ImportState
  /** All of the file was read. */
  readonly complete: boolean
  /** What kept it from its end, and whether that is the file. */
  readonly fault?: unknown
  readonly damaged?: boolean
}

/** What a chunk is given to: the database, or only the checks that need none. */
function chunkImporter({
  options,
  settings,
  database,
  lineOptions,
  progress,
  signal,
}: ImportRun): ReturnType<typeof createImport> {
  const { clockDriftMsMax, deliveries } = settings
  const { schema } = options.app
  if (!database)
    return async (lines) => checkLines(lines, lineOptions, schema, { now: Date.now() * 1000, clockDriftMsMax })
  const onWait = ({ code }: { code: string | undefined }, pauseMs: number) =>
    progress.say(`The database is away${code === undefined ? '' : ` (${code})`}; trying again in ${pauseMs / 1000} s.`)
  return createImport(
    createOperations({
      schema,
      store: retryingStore(database.store, { onWait, signal }),
      ...(database.transport && { transport: database.transport }),
      ...(database.poke && { onCommit: database.poke }),
      clockDriftMsMax,
      record: createRecorder(database.store.dialect, schema, deliveries),
    }).importChunk,
    'import',
    lineOptions,
  )
}

/** Imports what comes after the state, and gives the state that it came to, whatever happened. */
export async function runImport(run: ImportRun): Promise<ImportEnd> {
  const { options, source, input, statePath, progress, signal } = run
  const began = performance.now()
  const importChunk = chunkImporter(run)
  const counts = { ...run.state.counts }
  let state = run.state
  let complete = false
  let writtenAt = began

  /** The rejected lines are in their file before the state says so. */
  const keep = async () => {
    writtenAt = performance.now()
    if (statePath !== undefined) await writeState(statePath, state)
  }
  let begun = false
  let unread: unknown
  // Rejected records of CSV are written below the header that they came with.
  let head = ''
  const onHead = (text: string) => {
    head = text
  }
  const newline = options.format === 'csv' ? '\r\n' : '\n'
  async function* chunks() {
    const size = run.database?.chunkSize ?? chunkSize
    const watchers = { watch: new NumberWatch(), onHead, after: run.state.line }
    const read = readChunks(options, input, state.at, size, watchers)
    const all = takeChunks(read, run.state.line, signal)
    try {
      for (;;) {
        const { value, done } = await all.next()
        if (done) {
          complete = value
          return
        }
        // A file that cannot be read as it was said leaves nothing behind.
        if (!begun) await keep()
        begun = true
        yield value
      }
    } catch (fault) {
      // Where a file is damaged, what was read of it comes to its end first.
      unread = fault
    }
  }
  try {
    const rejected = await openRejected(options.rejected, state, {
      path: options.rejectedRows,
      encoder: encoderOf(input.encoding),
      head: () => head,
      newline: () => newline,
    })
    for await (const { rejections, last, lines: taken, passed = 0, ...tally } of importChunks(chunks(), importChunk)) {
      const sources = rejections.length > 0 ? new Map(taken.map(({ line, source }) => [line, source])) : undefined
      const lines = rejections.map(({ line, error }) => toRejectedLine(line, error, sources?.get(line)))
      await rejected.append(lines)
      run.onRejected(lines)
      for (const verdict of ['applied', 'duplicate', 'stale'] as const) counts[verdict] += tally[verdict]
      counts.rejected += lines.length
      const seconds = run.state.seconds + (performance.now() - began) / 1000
      state = {
        ...{ ...state, line: last, counts: { ...counts }, ...rejected.sizes, seconds },
        passed: (state.passed ?? 0) + passed,
        time: new Date().toISOString(),
      }
      if (performance.now() - writtenAt > stateMs) await keep()
      progress.show(counts, source.size === undefined ? undefined : source.read / source.size)
    }
    if (unread !== undefined) throw unread
    if (!complete && begun) await keep()
    return { state, complete }
  } catch (fault) {
    if (!begun) throw fault
    await keep().catch(() => {})
    return { state, complete: false, fault, damaged: fault === unread }
  }
}
