import { checkWish } from '../bulk/import.ts'
import type { RejectedLine } from '../bulk/rejected.ts'
import { checkSame, dropState, type ImportState, readState } from '../bulk/resume.ts'
import { readSettings } from '../config.ts'
import { schema } from '../schema.ts'
import { type ImportDatabase, openImportDatabase } from './import-database.ts'
import { sayFault } from './import-fault.ts'
import { type ImportOptions, readImportOptions } from './import-options.ts'
import { startImportProgress, sumOf } from './import-progress.ts'
import { type ImportEnd, runImport } from './import-run.ts'
import { type ImportSource, openSource } from './import-source.ts'
import { onInterrupt } from './interrupt.ts'
import { runCommand } from './run.ts'

/** Rejected lines that are shown; all of them are in the file. */
const shownMax = 5

/**
 * `npm run import -- --table todos --scope alice todos.csv`: takes the rows of a file, CSV or NDJSON, into the database of
 * DATABASE_URL. Ctrl-C stops after what is under way, and `--resume` goes on, also after a crash. Exit code 0: all is
 * in; 2: all but what was rejected; 1: it failed; 130: stopped.
 */
await runCommand(async () => {
  const options = readImportOptions()
  const settings = readSettings(process.env)
  const source = await openSource(options.file, options.gzip).catch(throwFault)
  const database = await openImportDatabase(process.env).catch(throwFault)
  const stop = new AbortController()
  const forget = onInterrupt(stop)
  try {
    // What comes through a pipe cannot be read again.
    const statePath = source.size === undefined ? undefined : `${options.file}.import.json`
    const state = await findBeginning(options, source, database, statePath)
    const { table, client, scope, cutDigits } = options
    const grant = { scope, isAllowed: () => true }
    const { clockDriftMsMax } = settings
    checkWish({ client, table, at: state.at, grant }, schema, Date.now() * 1000, clockDriftMsMax)
    // The records of a CSV file come as changes, each with its stamp.
    const wish = { client, table, at: options.format === 'csv' ? undefined : state.at, grant, cutDigits }
    const shown: RejectedLine[] = []
    const onRejected = (lines: readonly RejectedLine[]) => void shown.push(...lines.slice(0, shownMax - shown.length))
    const progress = startImportProgress(options.file, sumOf(state.counts))
    stop.signal.addEventListener('abort', () => progress.say('Stopping after what is under way; again ends at once.'))
    const run = { options, settings, source, database, state, statePath, wish, progress, onRejected }
    const end = await runImport({ ...run, signal: stop.signal })
      .catch(throwFault)
      .finally(progress.end)
    if (end.complete && statePath !== undefined) await dropState(statePath)
    report(options, end, shown, statePath !== undefined)
  } finally {
    forget()
    source.close()
    await database.close()
  }
})

/** Where to begin: at the start, or where the last import of the file stopped. */
async function findBeginning(
  { file, at, resume, anew, given }: ImportOptions,
  { identity }: ImportSource,
  { name }: ImportDatabase,
  statePath: string | undefined,
): Promise<ImportState> {
  const same = { file: identity, database: name, ...given }
  const found = statePath === undefined || anew ? undefined : await readState(statePath)
  if (found && statePath !== undefined) {
    if (!resume) {
      throw new TypeError(
        `An import of ${file} was stopped after line ${found.line} (${statePath}, ${found.time}). Add --resume to go on, or --anew to begin anew.`,
      )
    }
    checkSame(found.same, same, statePath)
    return found
  }
  if (resume) {
    throw new TypeError(
      `There is nothing to go on with: no ${statePath ?? 'file that can be read again'}. Import it without --resume.`,
    )
  }
  const now = Date.now()
  const counts = { applied: 0, duplicate: 0, stale: 0, rejected: 0 }
  const stamp = at === 'now' ? now * 1000 : at
  return { same, at: stamp, line: 0, counts, rejectedBytes: 0, seconds: 0, time: new Date(now).toISOString() }
}

function report(
  options: ImportOptions,
  { state, complete, fault, damaged = false }: ImportEnd,
  shown: readonly RejectedLine[],
  resumable: boolean,
): void {
  const { counts, seconds, line } = state
  const number = (value: number) => value.toLocaleString('en')
  for (const { line, error } of shown) console.error(`Line ${line}: ${error.code}. ${error.detail}`)
  if (counts.rejected > 0) {
    console.error(`${number(counts.rejected)} rejected: all of them, with what is wrong, are in ${options.rejected}`)
  }
  const rows = sumOf(counts)
  if (options.format === 'ndjson' && options.at !== undefined && rows > 0 && rows === counts.rejected) {
    console.error('With --at each line is a row, an id and columns. Leave it out where the lines are changes.')
  }
  const verdicts = Object.entries(counts).map(([verdict, count]) => `${number(count)} ${verdict}`)
  const rate = number(Math.round(rows / Math.max(seconds, 0.001)))
  console.log(`${number(rows)} rows in ${seconds.toFixed(1)} s, ${rate} a second: ${verdicts.join(', ')}.`)
  if (complete) {
    process.exitCode = counts.rejected > 0 ? 2 : 0
    return
  }
  if (fault !== undefined) console.error(sayFault(fault))
  process.exitCode = fault === undefined ? 130 : 1
  const taken = line === 0 ? 'Nothing is taken yet.' : `All lines up to ${line} are done with.`
  console.error(`${taken} ${howToGoOn(state, resumable, damaged)}`)
}

function howToGoOn({ at }: ImportState, resumable: boolean, damaged: boolean): string {
  if (!resumable || damaged) {
    const words = [...(resumable ? ['--anew'] : []), ...(at === undefined ? [] : [`--at ${at}`])]
    return `Give all of it again${words.length > 0 ? ` with ${words.join(' ')}` : ''}: what was taken is a duplicate then.`
  }
  const words = process.argv.slice(2).filter((word) => word !== '--resume' && word !== '--anew')
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
  return `Go on with: npm run import -- ${quoted.join(' ')} --resume`
}

function throwFault(error: unknown): never {
  throw new Error(sayFault(error), { cause: error })
}
