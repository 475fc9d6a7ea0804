import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { sqlite } from '../../../src/sql/sqlite/dialect.ts'
import { sqliteFault } from '../../../src/stores/fault.ts'
import { type Connection, openConnection } from '../../../src/stores/libsql/connection.ts'
import { sqliteCode } from '../../../src/stores/sqlite-code.ts'
import { onePlace, type Store } from '../../../src/stores/store.ts'
import { type Figure, inPairs, median, type Side, wallMs, within } from './measure.ts'
import { createTablesIn, driftline, pulls, pushes } from './subject.ts'

/**
 * The engine of a file: the SQLite that Node has in it against native libSQL, each behind the very
 * same store, in this thread. Targets of 1: what is below is in favour of Node's.
 */
export async function engineFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-engine-'))
  async function open(name: string, connect: (path: string) => Connection) {
    const store = storeOver(connect(join(folder, name)))
    await createTablesIn(store)
    return driftline(store)
  }
  for (const [count, pairs] of [
    [1, 301],
    [100, 101],
    [5000, 9],
  ] as const) {
    const [ours, theirs] = [await open(`node-${count}`, openNode), await open(`libsql-${count}`, openConnection)]
    const costs = await inPairs(pairs, cpuMs, pushes(ours, count, 'lost'), pushes(theirs, count, 'lost'))
    report(within(`node:sqlite against libSQL: a push of ${count}`, costs, 1))
    if (count !== 5000) continue
    // Ten pages of 1,000 rows.
    const pulled = await inPairs(15, cpuMs, pulls(ours, 10), pulls(theirs, 10))
    report(within('node:sqlite against libSQL: a pull of 10,000', pulled, 1))
  }
  const [ours, theirs] = [
    opening("import { DatabaseSync } from 'node:sqlite'", "new DatabaseSync(':memory:')"),
    opening("import Database from 'libsql'", "new Database(':memory:')"),
  ]
  report(within('node:sqlite against libSQL: a process that opens it', await inPairs(15, wallMs, ours, theirs), 1))
  const held = await inPairs(5, heldBy, ours, theirs, 1)
  report({
    ...within('node:sqlite against libSQL: memory of such a process', held, 1),
    ...{ ours: `${median(held.ours)} MB`, theirs: `${median(held.theirs)} MB` },
  })
  await rm(folder, { recursive: true, force: true })
}

/** A process that opens a database and prints its memory in MB. */
function opening(imports: string, opens: string): Side<string[]> {
  const script = `${imports}
const database = ${opens}
database.exec('CREATE TABLE t (a)')
console.log(Math.round(process.memoryUsage.rss() / 2 ** 20))`
  return {
    prepare: () => ['--input-type=module', '-e', script],
    run: async (args) => (await promisify(execFile)(process.execPath, args)).stdout,
  }
}

/** Milliseconds of the processor: what waits for the disk waits for it with either. */
async function cpuMs(run: () => Promise<unknown>): Promise<number> {
  const began = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(began)
  return (user + system) / 1000
}

async function heldBy(run: () => Promise<unknown>): Promise<number> {
  return Number(await run())
}

/** What src/stores/libsql/connection.ts is, over the SQLite in Node. */
function openNode(path: string): Connection {
  const database = new DatabaseSync(path, { timeout: 0 })
  database.exec('PRAGMA journal_mode = WAL')
  const prepared = new Map<string, StatementSync>()
  function prepare(sql: string): StatementSync {
    const statement = prepared.get(sql) ?? database.prepare(sql)
    statement.setReturnArrays(true)
    prepared.set(sql, statement)
    return statement
  }
  return {
    execute: ({ sql, params }) =>
      prepare(sql).all(...params.map((value) => (typeof value === 'number' ? BigInt(value) : value))) as never,
    command: (sql) => database.exec(sql),
    get inTransaction() {
      return database.isTransaction
    },
    close: async () => database.close(),
  }
}

function storeOver(connection: Connection): Store {
  return {
    dialect: sqlite,
    placeOf: onePlace,
    async batch(_scope, statements) {
      try {
        connection.command('BEGIN IMMEDIATE')
        const results = statements.map((statement) => connection.execute(statement))
        connection.command('COMMIT')
        return results
      } catch (error) {
        if (connection.inTransaction) connection.command('ROLLBACK')
        const { message, errcode, code } = error as { message: string; errcode?: number; code?: string }
        throw sqliteFault({ message, code: errcode === undefined ? code : sqliteCode(errcode) })
      }
    },
    close: () => connection.close(),
  }
}
