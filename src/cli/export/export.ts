import { existsSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { type ExportPage, startExport } from '../../bulk/export.ts'
import { readMigrations } from '../../migrations/read.ts'
import { parseCursor } from '../../model/cursor.ts'
import { Problem } from '../../model/errors.ts'
import type { Schema } from '../../model/table.ts'
import { findDatabases } from '../../runtime/node/databases.ts'
import { readDatabaseUrl } from '../../stores/database-url.ts'
import { filePath } from '../../stores/libsql/file-path.ts'
import { isScopeUrl } from '../../stores/scope-url.ts'
import type { Store } from '../../stores/store.ts'
import type { App, LoadApp } from '../app.ts'
import { readArgs } from '../command.ts'
import { showRows } from '../row-progress.ts'
import { openExportFile } from './file.ts'

/**
 * `npx driftline export --scope alice --out alice.ndjson.gz`: all rows of a scope of DATABASE_URL,
 * in the lines of a stream of `GET /v1/pull`, into a file or to standard output. `--resume` goes on
 * where an export into this file was cut.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline export',
    does: 'Writes all rows of a scope of DATABASE_URL, in the lines of a stream, into a file or to standard output.',
  }
  const args = readArgs(help, {
    scope: { type: 'string', multiple: true, help: 'whose rows' },
    table: { type: 'string', multiple: true, help: 'only the rows of this table' },
    out: { type: 'string', default: '-', help: 'the file, as gzip where it ends in .gz; - is standard output' },
    resume: { type: 'boolean', default: false, help: 'goes on where an export into this file was cut' },
  })
  const { scope: scopes = [], out, resume } = args
  if (scopes.length === 0) throw new TypeError('Say whose rows: npx driftline export --scope alice --out alice.ndjson')
  if (resume && out === '-') throw new TypeError('Only an export into a file can be resumed: --out alice.ndjson')
  const app = await loadApp()
  const tables = pickTables(app.schema, args.table)
  const store = await openStore(app)
  try {
    const isWhole = await (out === '-' ? toOutput(store, tables, scopes) : toFile(store, tables, scopes, out, resume))
    if (!isWhole) process.exitCode = 130
  } catch (error) {
    throw explain(error)
  } finally {
    await store.close()
  }
}

function pickTables(schema: Schema, names: readonly string[] | undefined): Schema {
  const known = schema.tables.map(({ name }) => name as string)
  for (const name of names ?? []) {
    if (!known.includes(name)) throw new TypeError(`There is no table ${name}. The tables are ${known.join(', ')}.`)
  }
  return names ? { ...schema, tables: schema.tables.filter(({ name }) => names.includes(name)) } : schema
}

async function openStore({ schema, migrations }: App): Promise<Store> {
  const url = readDatabaseUrl(process.env)
  // Opening it would make it.
  if (url.startsWith('file:') && !isScopeUrl(url) && !existsSync(filePath(url)))
    throw new Error(`There is no database ${url}: see DATABASE_URL`)
  const databases = findDatabases(url, schema, process.env.DATABASE_AUTH_TOKEN)
  return databases.open(await readMigrations(databases.dialect, migrations))
}

async function toOutput(store: Store, tables: Schema, scopes: readonly string[]): Promise<boolean> {
  const { rows, pages } = await startExport({ store, schema: tables, scopes, cursor: null })
  // Each write has its own callback.
  process.stdout.on('error', () => {})
  const write = ({ text }: ExportPage) =>
    new Promise<void>((resolve, reject) => {
      process.stdout.write(text, (error) => (error ? reject(error) : resolve()))
    })
  return writePages(pages, write, rows, 0)
}

async function toFile(store: Store, tables: Schema, scopes: readonly string[], out: string, resume: boolean) {
  const of = JSON.stringify([scopes, tables.tables.map(({ name }) => name)])
  const file = await openExportFile(out, of, resume)
  const done = file.resumed?.rows ?? 0
  try {
    const cursor = file.resumed ? parseCursor(file.resumed.cursor) : null
    const { rows, pages } = await startExport({ store, schema: tables, scopes, cursor })
    let written = done
    const write = async (page: ExportPage) => {
      await file.write(page)
      written += page.rows
    }
    if (!(await writePages(pages, write, done + rows, done))) {
      await file.cut()
      console.error(`Stopped after ${written} rows: --resume goes on from there.`)
      return false
    }
    await file.finish()
    console.log(`Exported ${written} rows to ${out}.`)
    return true
  } catch (error) {
    await file.cut()
    throw error
  }
}

/** False where Ctrl-C has stopped it, after the page that was under way. */
async function writePages(
  pages: AsyncIterable<ExportPage>,
  write: (page: ExportPage) => Promise<void>,
  total: number,
  done: number,
): Promise<boolean> {
  const progress = showRows(total, done)
  let stopped = false
  const stop = () => {
    stopped = true
  }
  process.once('SIGINT', stop)
  try {
    for await (const page of pages) {
      await write(page)
      progress.step(page.rows)
      // A file answers without leaving this thread: only here is Ctrl-C heard and the bar drawn.
      await setImmediate()
      if (stopped) return false
    }
    return true
  } finally {
    process.removeListener('SIGINT', stop)
    progress.end()
  }
}

/** What went wrong, and what to do. */
function explain(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: string }
  if (code === 'EPIPE') return new Error('Whatever read the export has ended')
  if (error instanceof Problem && error.code === 'resync')
    return new Error(`${error.members.scopes} is no longer as the cut export has it: leave out --resume`)
  if (/no such table|does not exist/.test(message ?? ''))
    return new Error(`The database lacks a table (${message}): npx driftline migrate`)
  return error
}
