import { hasMerging, isPlain, stampColumn } from '../model/merge.ts'
import { keyColumns, type Table, type TableColumn } from '../model/table.ts'
import { always, type Dialect } from './dialect.ts'
import type { Raise } from './markers.ts'
import { baseOf } from './merge-sql.ts'
import { quoted } from './quoted.ts'
import type { Field } from './statement.ts'

/**
 * Keys that are unique among the living rows of a scope. Whether another row holds a key is asked
 * under the scope's lock, right before the rows are written, and a row whose key is taken is passed
 * over: a database that refuses it would undo all others with it. Holders that the same change set
 * still writes are no hindrance: they may give the key away.
 */
export interface KeySql {
  /**
   * Fields of the rows that are looked for: the id, the stamp, and of each column whether it is
   * said.
   */
  readonly fields: readonly Field[]
  /** The columns of all keys, in the order of the fields. */
  readonly columns: readonly TableColumn[]
  /**
   * [scope, client, ids that are still written, …rows] → id, and the result line of who holds its
   * key.
   */
  readonly look: string
  /** The same: aborts where a change that would apply finds its key taken. */
  readonly taken: string
}

/** What a column holds once a change was applied, as an expression. */
type ValueOf = (column: TableColumn) => string

/** Whether another row holds a key, for a row `sent$`. */
export function isTaken(dialect: Dialect, table: Table, ids: string, held: ValueOf): string {
  return table.unique.map((key) => dialect.anyHolder(table, holds(dialect, table, key, ids, held))).join(' OR ')
}

/** Whether `holder$` is another living row that has the key, and keeps it. */
function holds(dialect: Dialect, table: Table, key: readonly string[], ids: string, held: ValueOf): string {
  const pairs = columnsOf(table, key).map((column): [string, string] => [quoted(column.name), held(column)])
  const isKept = `NOT holder$.deleted AND holder$.id <> sent$.id$ AND NOT ${dialect.isAmong('holder$.id', ids)}`
  return `${dialect.hasKey('holder$', dialect.param(1), pairs)} AND ${isKept}`
}

const columnsOf = ({ columns }: Table, key: readonly string[]): TableColumn[] =>
  key.flatMap((name) => columns.find((column) => column.name === name) ?? [])

/**
 * A column that is later than the change stays as it is. Of a row that is later as a whole nothing
 * is asked, but where something of the change counts all the same.
 */
export function afterPut(dialect: Dialect, table: Table, column: TableColumn, at: string, sent: string): string {
  if (!isPlain(column) || !(table.byColumn || hasMerging(table))) return sent
  const client = dialect.param(2)
  const isLater = table.byColumn
    ? `coalesce(found$.${quoted(stampColumn(column.name))}, ${dialect.stampText(...baseOf('found$'))}) >= ${dialect.stampText(at, client)}`
    : `(found$.updated_at, found$.updated_by) >= (${at}, ${client})`
  return `CASE WHEN NOT found$.deleted AND ${isLater} THEN found$.${quoted(column.name)} ELSE ${sent} END`
}

export function keySql(
  dialect: Dialect,
  table: Table,
  raise: Raise,
  { line, mayApply }: { line: string; mayApply: string },
): KeySql | undefined {
  if (table.unique.length === 0) return undefined
  const columns = keyColumns(table)
  const fields: Field[] = [
    { name: 'id$', type: 'text' },
    { name: 'ordinal$', type: 'integer' },
    { name: 'at$', type: 'integer' },
    ...columns.flatMap(({ key, type }): Field[] => [
      { name: key, type },
      { name: saidKey(key), type: 'boolean' },
    ]),
  ]
  const held = (column: TableColumn) =>
    `CASE WHEN sent$.${saidKey(column.key)} IS NOT NULL THEN ${afterPut(dialect, table, column, 'sent$.at$', `sent$.${column.key}`)} ELSE found$.${quoted(column.name)} END`
  // Not every table needs the client, whose type must be told.
  const client = `CROSS JOIN (SELECT CAST(${dialect.param(2)} AS text) AS client$) AS writer$`
  const rows = `${dialect.decodeRows(fields, 4)} ${client} ${dialect.found(table, dialect.param(1), 'sent$.id$', 'LEFT JOIN')}`
  const ids = dialect.param(3)
  const found = table.unique.map(
    (key) =>
      `SELECT sent$.id$ AS id$, holder$.* FROM ${rows} ${dialect.eachHolder(table, holds(dialect, table, key, ids, held))}`,
  )
  return {
    fields,
    columns,
    look: `SELECT taken$.id$, ${line} FROM (${unionAll(found)}) AS taken$`,
    taken: `SELECT ${raise('driftline_taken', 'sent$.ordinal$')} FROM ${rows}
WHERE CASE WHEN found$.id IS NULL THEN ${always} ELSE ${mayApply} END AND (${isTaken(dialect, table, ids, held)})`,
  }
}

/** SQLite in Cloudflare takes five terms in one compound SELECT. */
const termsMax = 5

function unionAll(terms: readonly string[]): string {
  if (terms.length <= termsMax) return terms.join('\nUNION ALL ')
  const size = Math.ceil(terms.length / termsMax)
  const groups = Array.from({ length: Math.ceil(terms.length / size) }, (_, n) => {
    const some = terms.slice(n * size, (n + 1) * size)
    return some.length === 1 ? (some[0] as string) : `SELECT * FROM (${unionAll(some)}) AS some$`
  })
  return groups.join('\nUNION ALL ')
}

const saidKey = (key: string) => key.replace('c', 'k')
