import { checkLineOptions } from '../../bulk/import.ts'
import type { RejectedLine } from '../../bulk/rejected.ts'
import { checkSame, dropState, type ImportState, readState } from '../../bulk/resume.ts'
import { readSettings } from '../../runtime/settings.ts'
import type { LoadApp } from '../app.ts'
import { onInterrupt } from '../interrupt.ts'
import { type ImportDatabase, openImportDatabase } from './database.ts'
import { sayFault } from './fault.ts'
import { prepareInput } from './input.ts'
import type { ImportInput } from './input-bytes.ts'
import { type ImportOptions, readImportOptions } from './options.ts'
import { startImportProgress, sumOf } from './progress.ts'
import { RejectedSample } from './rejected.ts'
import { type ImportEnd, runImport } from './run.ts'
import { type ImportSource, openSource } from './source.ts'

/**
 * `npx driftline import --table todos --scope alice todos.csv`: takes the rows of a file, CSV or
 * NDJSON, into the database of DATABASE_URL. Ctrl-C stops after what is under way, and `--resume`
 * goes on, also after a crash. Exit code 0: all is in; 2: all but what was rejected; 1: it failed;
 * 130: stopped.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const options = await readImportOptions(loadApp)
  const { schema, sources } = options.app
  const settings = readSettings(process.env, sources)
  const source = await openSource(options.file, options.gzip).catch(throwFault)
  const stop = new AbortController()
  let forget = () => {}
  let database: ImportDatabase | undefined
  try {
    const { table, client, scope, check, cutDigits } = options
    const grant = { scope, isAllowed: () => true }
    const isKnown = table === undefined || schema.tablesByName.has(table)
    // Of a table that there is not nothing can be told of the file.
    const input = isKnown ? await prepareInput(options, source).catch(throwFault) : undefined
    database = check ? undefined : await openImportDatabase(process.env, options.app).catch(throwFault)
    forget = onInterrupt(stop)
    // What comes through a pipe cannot be read again.
    const statePath = source.size === undefined || check ? undefined : `${options.file}.import.json`
    const state = await findBeginning(options, source, database?.name ?? '', statePath)
    const { clockDriftMsMax } = settings
    checkLineOptions({ client, table, at: state.at, grant }, schema, Date.now() * 1000, clockDriftMsMax)
    if (!input) return
    // Records and lines that are rows come as changes, each with its stamp.
    const lineOptions = { client, table, at: undefined, grant, cutDigits }
    const rejected = new RejectedSample()
    const onRejected = (lines: readonly RejectedLine[]) => rejected.add(lines)
    const progress = startImportProgress(options.file, sumOf(state.counts))
    stop.signal.addEventListener('abort', () => progress.say('Stopping after what is under way; again ends at once.'))
    const run = { options, settings, source, input, database, state, statePath, lineOptions, progress, onRejected }
    const end = await runImport({ ...run, signal: stop.signal })
      .catch(throwFault)
      .finally(progress.end)
    if (end.complete && statePath !== undefined) await dropState(statePath)
    report(options, input, end, rejected, statePath !== undefined)
  } finally {
    forget()
    source.close()
    await database?.close()
  }
}

/** Where to begin: at the start, or where the last import of the file stopped. */
async function findBeginning(
  { file, at, resume, anew, given }: ImportOptions,
  { identity }: ImportSource,
  name: string,
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
  return {
    same,
    at: stamp,
    line: 0,
    counts,
    rejectedBytes: 0,
    rejectedRowsBytes: 0,
    seconds: 0,
    time: new Date(now).toISOString(),
  }
}

function report(
  options: ImportOptions,
  { paths }: ImportInput,
  { state, complete, fault, damaged = false }: ImportEnd,
  rejected: RejectedSample,
  resumable: boolean,
): void {
  const { counts, seconds, line, passed = 0 } = state
  const number = (value: number) => value.toLocaleString('en')
  const noun = paths ? 'Element' : 'Line'
  for (const { line, error } of rejected.shown) console.error(`${noun} ${line}: ${error.code}. ${error.detail}`)
  if (counts.rejected > 0) {
    console.error(`${number(counts.rejected)} rejected: all of them, with what is wrong, are in ${options.rejected}`)
    const copy = 'as they came, to be mended and imported with the same options'
    if (rejected.hasText) console.error(`In ${options.rejectedRows} they are ${copy}.`)
  }
  const rows = sumOf(counts)
  const hint = rows === counts.rejected ? rejected.hint(options) : undefined
  if (hint !== undefined) console.error(hint)
  const rate = number(Math.round(rows / Math.max(seconds, 0.001)))
  const speed = `${number(rows)} rows in ${seconds.toFixed(1)} s, ${rate} a second`
  const verdicts = Object.entries(counts).map(([verdict, count]) => `${number(count)} ${verdict}`)
  const passedOver = options.mapping ? `, ${number(passed)} passed over` : ''
  console.log(
    options.check
      ? `${speed}: ${number(counts.applied)} would be sent, ${number(counts.rejected)} rejected${passedOver}. Nothing was stored, and the database not asked.`
      : `${speed}: ${verdicts.join(', ')}${passedOver}.`,
  )
  if (complete) {
    process.exitCode = counts.rejected > 0 ? 2 : 0
    return
  }
  if (fault !== undefined) console.error(sayFault(fault))
  process.exitCode = fault === undefined ? 130 : 1
  if (options.check) return
  const taken = line === 0 ? 'Nothing is taken yet.' : `All ${noun.toLowerCase()}s up to ${line} are done with.`
  console.error(`${taken} ${howToGoOn(state, resumable, damaged)}`)
}

function howToGoOn({ at }: ImportState, resumable: boolean, damaged: boolean): string {
  if (!resumable || damaged) {
    const words = [...(resumable ? ['--anew'] : []), ...(at === undefined ? [] : [`--at ${at}`])]
    return `Give all of it again${words.length > 0 ? ` with ${words.join(' ')}` : ''}: what was taken is a duplicate then.`
  }
  const words = process.argv.slice(2).filter((word) => word !== '--resume' && word !== '--anew')
  const quoted = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
  return `Go on with: npx driftline import ${quoted.join(' ')} --resume`
}

function throwFault(error: unknown): never {
  throw new Error(sayFault(error), { cause: error })
}
