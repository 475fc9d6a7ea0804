import { createImport, type ImportWish, importChunks } from '../bulk/import.ts'
import type { ImportLine } from '../bulk/lines.ts'
import { openRejected, type RejectedLine, toRejectedLine } from '../bulk/rejected.ts'
import { type ImportState, writeState } from '../bulk/resume.ts'
import type { Settings } from '../config.ts'
import { createRun } from '../run.ts'
import { schema } from '../schema.ts'
import { patientStore } from '../stores/patient.ts'
import { readChunks, takeChunks } from './import-chunks.ts'
import type { ImportDatabase } from './import-database.ts'
import type { ImportOptions } from './import-options.ts'
import type { ImportProgress } from './import-progress.ts'
import type { ImportSource } from './import-source.ts'

/** How often the state is written, in milliseconds: what came since comes again after a crash, as duplicates. */
const stateMs = 1_000

/** All that an import needs, once it is known where it begins. */
export interface ImportRun {
  readonly options: ImportOptions
  readonly settings: Pick<Settings, 'clockDriftMsMax' | 'deliveries'>
  readonly source: ImportSource
  readonly database: ImportDatabase
  /** Where it begins, and where it is kept: not for standard input. */
  readonly state: ImportState
  readonly statePath: string | undefined
  readonly wish: ImportWish
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

/** Imports what comes after the state, and gives the state that it came to, whatever happened. */
export async function runImport(run: ImportRun): Promise<ImportEnd> {
  const { options, settings, source, database, statePath, wish, progress, signal } = run
  const began = performance.now()
  const onWait = ({ code }: { code: string | undefined }, pauseMs: number) =>
    progress.say(`The database is away${code === undefined ? '' : ` (${code})`}; trying again in ${pauseMs / 1000} s.`)
  const importChunk = createImport(
    createRun({
      schema,
      store: patientStore(database.store, { onWait, signal }),
      ...(database.carry && { carry: database.carry }),
      ...(database.poke && { onCommit: database.poke }),
      clockDriftMsMax: settings.clockDriftMsMax,
      deliveries: settings.deliveries,
    }),
    { subject: 'import', scopes: new Map() },
    wish,
  )
  const underWay: (readonly ImportLine[])[] = []
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
  async function* chunks() {
    const all = takeChunks(readChunks(options, source.bytes, state.at, database.chunkSize), run.state.line, signal)
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
        underWay.push(value.lines)
        yield value
      }
    } catch (fault) {
      // Where a file is damaged, what was read of it comes to its end first.
      unread = fault
    }
  }
  try {
    const rejected = await openRejected(options.rejected, state.rejectedBytes)
    for await (const { rejections, last, ...tally } of importChunks(chunks(), importChunk)) {
      const sources =
        rejections.length > 0 ? new Map(underWay[0]?.map(({ line, source }) => [line, source])) : undefined
      underWay.shift()
      const lines = rejections.map(({ line, error }) =>
        toRejectedLine(line, error, sources?.get(line), options.csv.delimiter),
      )
      await rejected.append(lines)
      run.onRejected(lines)
      for (const verdict of ['applied', 'duplicate', 'stale'] as const) counts[verdict] += tally[verdict]
      counts.rejected += lines.length
      const seconds = run.state.seconds + (performance.now() - began) / 1000
      state = {
        ...{ ...state, line: last, counts: { ...counts }, rejectedBytes: rejected.size, seconds },
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
