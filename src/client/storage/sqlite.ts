import { ForeignDatabaseError } from '../errors.ts'
import { createMutex } from './mutex.ts'
import {
  type Database,
  type OutboxRecord,
  type RowRecord,
  type Storage,
  type StoredTable,
  type StoreName,
  type Stores,
  storeNames,
  type Transaction,
} from './storage.ts'

type Value = string | number | null

/** A connection of its own to a SQLite database. Results may be promises. */
export interface SqliteDriver {
  run(sql: string, params: Value[]): unknown
  all(sql: string, params: Value[]): unknown
  close(): unknown
}

/**
 * Keeps everything in a SQLite database of its own, in tables `driftline_…`. Each table of the
 * schema has a view of its name, for the app's own SELECTs.
 */
export function sqlite(driver: SqliteDriver): Storage {
  return {
    async open(name, tables) {
      const all = async (sql: string, params: Value[] = []) => (await driver.all(sql, params)) as Cells[]
      await prepare(driver, all, name, tables)
      return openSqlite(driver, all)
    },
  }
}

type Cells = Readonly<Record<string, unknown>>
type All = (sql: string, params?: Value[]) => Promise<Cells[]>

const version = 1

const tablesSql = [
  'CREATE TABLE driftline_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)',
  `CREATE TABLE driftline_rows (table_name TEXT NOT NULL, scope TEXT NOT NULL, id TEXT NOT NULL, "row" TEXT, at INTEGER NOT NULL, "by" TEXT NOT NULL,
  gen INTEGER NOT NULL, base TEXT, PRIMARY KEY (table_name, scope, id))`,
  'CREATE TABLE driftline_outbox (seq INTEGER PRIMARY KEY, table_name TEXT NOT NULL, scope TEXT NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL)',
  'CREATE INDEX driftline_outbox_row ON driftline_outbox (table_name, scope, id)',
  'CREATE TABLE driftline_rejected (seq INTEGER PRIMARY KEY, record TEXT NOT NULL)',
  'CREATE TABLE driftline_notices (seq INTEGER PRIMARY KEY, record TEXT NOT NULL)',
]

/** Makes the tables in a database that is empty, and refuses one of something else. */
async function prepare(driver: SqliteDriver, all: All, name: string, tables: readonly StoredTable[]): Promise<void> {
  let found: Cells[]
  try {
    await all('PRAGMA busy_timeout = 5000')
    found = await all("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'")
  } catch (error) {
    if (/busy|locked/i.test(String(error))) throw error
    throw new ForeignDatabaseError(`The database of ${name} cannot be read: ${message(error)}. It is left as it is.`, {
      cause: error,
    })
  }
  const names = new Set(found.map((one) => String(one.name)))
  const isOurs = names.has('driftline_meta')
  const other = found.find((one) => one.type === 'table' && !String(one.name).startsWith('driftline_'))
  if (other || (names.size > 0 && !isOurs))
    throw new ForeignDatabaseError(
      `The database of ${name} holds tables of something else, such as ${String(other?.name ?? [...names][0])}: give the client a file of its own.`,
    )
  await all('PRAGMA journal_mode = WAL')
  await driver.run('PRAGMA synchronous = FULL', [])
  await driver.run('BEGIN IMMEDIATE', [])
  try {
    const [row] = await all('PRAGMA user_version')
    const held = Number(row?.user_version ?? 0)
    if (held > version)
      throw new ForeignDatabaseError(
        `The database of ${name} has the form ${held}, of a later driftline: this one knows the form ${version}.`,
      )
    // Somebody else may have made them since.
    const [made] = await all("SELECT 1 AS one FROM sqlite_master WHERE name = 'driftline_meta'")
    if (!made) for (const sql of tablesSql) await driver.run(sql, [])
    if (held === 0) await driver.run(`PRAGMA user_version = ${version}`, [])
    for (const table of tables) {
      const view = viewOf(table)
      const [old] = await all('SELECT type, sql FROM sqlite_master WHERE name = ?', [table.name])
      if (old?.sql === view) continue
      if (old) await driver.run(`DROP VIEW "${table.name}"`, [])
      await driver.run(view, [])
    }
    await driver.run('COMMIT', [])
  } catch (error) {
    await rollBack(driver)
    throw error
  }
}

const message = (error: unknown) => (error instanceof Error ? error.message : String(error))

function viewOf({ name, columns }: StoredTable): string {
  const values = columns.map(({ name: column }) => `json_extract("row", '$."${column}"') AS "${column}"`)
  return `CREATE VIEW "${name}" AS SELECT id, scope, ${values.join(', ')} FROM driftline_rows WHERE table_name = '${name}' AND "row" IS NOT NULL`
}

async function rollBack(driver: SqliteDriver): Promise<void> {
  try {
    await driver.run('ROLLBACK', [])
  } catch {
    // It has been rolled back already.
  }
}

function openSqlite(driver: SqliteDriver, all: All): Database {
  const run = createMutex()
  const within = <R>(begin: string, work: (tx: Transaction) => Promise<R>) =>
    run(async () => {
      await driver.run(begin, [])
      try {
        const result = await work(transaction(driver, all))
        await driver.run('COMMIT', [])
        return result
      } catch (error) {
        await rollBack(driver)
        throw error
      }
    })
  return {
    read: (work) => within('BEGIN', work),
    write: (work) => within('BEGIN IMMEDIATE', work),
    close: () => run(async () => void (await driver.close())),
    destroy: () =>
      run(async () => {
        await driver.run('BEGIN IMMEDIATE', [])
        const views = await all("SELECT name FROM sqlite_master WHERE type = 'view'")
        for (const { name } of views) await driver.run(`DROP VIEW "${String(name)}"`, [])
        for (const store of storeNames) await driver.run(`DROP TABLE driftline_${store}`, [])
        await driver.run('PRAGMA user_version = 0', [])
        await driver.run('COMMIT', [])
        await driver.close()
      }),
  }
}

const parse = (text: unknown) => JSON.parse(String(text))

/** Columns of a row, and how they get there. */
const rowColumns = ['table_name', 'scope', 'id', '"row"', 'at', '"by"', 'gen', 'base']

function toRow(cells: Cells): RowRecord {
  return {
    table: String(cells.table_name),
    scope: String(cells.scope),
    id: String(cells.id),
    at: Number(cells.at),
    by: String(cells.by),
    gen: Number(cells.gen),
    ...(cells.row !== null && { row: parse(cells.row) }),
    ...(cells.base !== null && { base: parse(cells.base) }),
  }
}

const toRecord: { readonly [S in StoreName]: (cells: Cells) => Stores[S]['record'] } = {
  rows: toRow,
  outbox: ({ record }) => parse(record),
  rejected: ({ record }) => parse(record),
  notices: ({ record }) => parse(record),
  meta: ({ name, value }) => ({ name: String(name), value: parse(value) }),
}

/** What `json_each` makes of one record, cell by cell. */
const toCells: { readonly [S in StoreName]: (record: Stores[S]['record']) => Value[] } = {
  rows: ({ table, scope, id, row, at, by, gen, base }) => [
    ...[table, scope, id],
    row === undefined ? null : JSON.stringify(row),
    ...[at, by, gen],
    base === undefined ? null : JSON.stringify(base),
  ],
  outbox: (record) => {
    const { table, scope, id } = (record as OutboxRecord).change
    return [record.seq, table, scope, id, JSON.stringify(record)]
  },
  rejected: (record) => [record.seq, JSON.stringify(record)],
  notices: (record) => [record.seq, JSON.stringify(record)],
  meta: ({ name, value }) => [name, JSON.stringify(value)],
}

const columnsOf: { readonly [S in StoreName]: readonly string[] } = {
  rows: rowColumns,
  outbox: ['seq', 'table_name', 'scope', 'id', 'record'],
  rejected: ['seq', 'record'],
  notices: ['seq', 'record'],
  meta: ['name', 'value'],
}

const cell = (place: number) => `json_extract(value, '$[${place}]')`

const putSql = (store: StoreName) =>
  `INSERT OR REPLACE INTO driftline_${store} (${columnsOf[store].join(', ')}) SELECT ${columnsOf[store].map((_, place) => cell(place)).join(', ')} FROM json_each(?) WHERE true`

/** Whether a record has one of the keys that `json_each` gives. */
const hasKey = (store: StoreName) =>
  store === 'rows'
    ? `(table_name, scope, id) IN (SELECT ${[0, 1, 2].map(cell).join(', ')} FROM json_each(?))`
    : `${store === 'meta' ? 'name' : 'seq'} IN (SELECT value FROM json_each(?))`

function transaction(driver: SqliteDriver, all: All): Transaction {
  return {
    async get(store, keys) {
      if (keys.length === 0) return []
      const found = await all(`SELECT * FROM driftline_${store} WHERE ${hasKey(store)}`, [JSON.stringify(keys)])
      const records = new Map(
        found.map((cells) => {
          const record = toRecord[store](cells)
          return [keyTextOf(store, cells), record] as const
        }),
      )
      return keys.map((key) => records.get(Array.isArray(key) ? key.join('\n') : String(key)) as never)
    },
    async list(store, { prefix = [], after, limit } = {}) {
      const conditions = prefix.map((_, place) => `${['table_name', 'scope', 'id'][place]} = ?`)
      const params: Value[] = [...prefix]
      if (after !== undefined) {
        conditions.push('seq > ?')
        params.push(after)
      }
      const order = store === 'rows' ? 'table_name, scope, id' : store === 'meta' ? 'name' : 'seq'
      const bound = limit === undefined ? '' : ` LIMIT ${limit}`
      const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : ''
      const found = await all(`SELECT * FROM driftline_${store}${where} ORDER BY ${order}${bound}`, params)
      return found.map((cells) => toRecord[store](cells)) as never
    },
    async pending(keys) {
      if (keys.length === 0) return []
      const found = await all(`SELECT record FROM driftline_outbox WHERE ${hasKey('rows')} ORDER BY seq`, [
        JSON.stringify(keys),
      ])
      return found.map(({ record }) => parse(record))
    },
    async put(store, records) {
      if (records.length === 0) return
      const cells = records.map((record) => toCells[store](record as never))
      await driver.run(putSql(store), [JSON.stringify(cells)])
    },
    async remove(store, keys) {
      if (keys.length > 0)
        await driver.run(`DELETE FROM driftline_${store} WHERE ${hasKey(store)}`, [JSON.stringify(keys)])
    },
  }
}

const keyTextOf = (store: StoreName, cells: Cells): string =>
  store === 'rows'
    ? `${cells.table_name}\n${cells.scope}\n${cells.id}`
    : String(store === 'meta' ? cells.name : cells.seq)
