import type { AdoptedTable } from '../../model/table.ts'
import { isLong } from '../../model/value.ts'
import { sourceOf } from '../../sql/adopted/spelling.ts'
import { quoted } from '../../sql/quoted.ts'
import { adoptedInSqlite } from '../../sql/sqlite/adopted.ts'
import type { Remembered } from './snapshot.ts'

const { app, id, side } = adoptedInSqlite

/** What all tables that are adopted share. `driftline_push` says which push is under way. */
export const homeInSqlite: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS driftline_touched (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  scope TEXT NOT NULL,
  table_name TEXT NOT NULL,
  id TEXT NOT NULL,
  kind INTEGER NOT NULL,
  at INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) STRICT`,
  'CREATE INDEX IF NOT EXISTS driftline_touched_scope ON driftline_touched (scope, n)',
  `CREATE TABLE IF NOT EXISTS driftline_push (
  scope TEXT PRIMARY KEY,
  base INTEGER NOT NULL,
  until INTEGER NOT NULL,
  line INTEGER NOT NULL
) STRICT`,
]

const triggers = ['insert', 'insert_over', 'update', 'update_over', 'delete'] as const
const triggerName = ({ name }: Remembered, what: string) => quoted(`driftline_${name}_${what}`)

/** The kinds of a line: only what phones cannot write changed, written, gone, and perhaps gone. */
const [quiet, written, gone, perhaps] = [1, 2, 3, 0]

export function adoptInSqlite(table: AdoptedTable): string[] {
  const { name, adopted } = table
  const target = app(adopted)
  const key = quoted(adopted.key)
  const [was, is] = [scopeOf(table, 'OLD'), scopeOf(table, 'NEW')]
  const moved = `(${was} IS NOT ${is} OR OLD.${key} IS NOT NEW.${key})`
  const wide = differs(table, false)
  const narrow = differs(table, true)
  const over = [...new Set([adopted.key, ...adopted.unique.flat()])]
  return [
    `CREATE TABLE IF NOT EXISTS ${side(table)} (
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  position INTEGER NOT NULL,
  created_position INTEGER NOT NULL,
  PRIMARY KEY (scope, id)
) STRICT`,
    `CREATE INDEX IF NOT EXISTS ${quoted(`driftline_rows_${name}_position`)} ON ${side(table)} (scope, position)`,
    `CREATE INDEX IF NOT EXISTS ${quoted(`driftline_rows_${name}_position_living`)} ON ${side(table)} (scope, position, deleted) WHERE NOT deleted`,
    ...dropTriggersInSqlite(table),
    `CREATE TRIGGER ${triggerName(table, 'insert')} AFTER INSERT ON ${target} BEGIN
  ${note(table, 'NEW', written, isForeign(table, 'NEW', false))};
END`,
    // REPLACE takes a row away and fires no trigger of a DELETE.
    `CREATE TRIGGER ${triggerName(table, 'insert_over')} BEFORE INSERT ON ${target} BEGIN
  ${noteOver(table, [adopted.key], `${adoptedInSqlite.scope(adopted, 'own$')} IS NOT ${is}`)};
${adopted.unique.map((columns) => `  ${noteOver(table, columns, `own$.${key} IS NOT NEW.${key}`)};\n`).join('')}END`,
    `CREATE TRIGGER ${triggerName(table, 'update_over')} BEFORE UPDATE OF ${over.map(quoted).join(', ')} ON ${target}
WHEN ${over.map((column) => `OLD.${quoted(column)} IS NOT NEW.${quoted(column)}`).join(' OR ')} BEGIN
${[[adopted.key], ...adopted.unique].map((columns) => `  ${noteOver(table, columns, `own$.${key} IS NOT OLD.${key}`)};\n`).join('')}END`,
    `CREATE TRIGGER ${triggerName(table, 'update')} AFTER UPDATE ON ${target} WHEN ${moved} OR ${wide} OR ${narrow} BEGIN
  ${note(table, 'OLD', gone, moved)};
  ${note(table, 'NEW', `CASE WHEN ${moved} OR ${wide} THEN ${written} ELSE ${quiet} END`, isForeign(table, 'NEW', false))};
END`,
    `CREATE TRIGGER ${triggerName(table, 'delete')} AFTER DELETE ON ${target} BEGIN
  ${note(table, 'OLD', gone, isForeign(table, 'OLD', true))};
END`,
  ]
}

export const dropTriggersInSqlite = (table: Remembered): string[] =>
  triggers.map((what) => `DROP TRIGGER IF EXISTS ${triggerName(table, what)}`)

/** Indexes have the name of the table, and cannot be renamed. */
export function renameSideInSqlite(from: string, to: string): string[] {
  const index = (end: string) => `DROP INDEX IF EXISTS ${quoted(`driftline_rows_${from}${end}`)}`
  return [
    `ALTER TABLE ${quoted(`driftline_rows_${from}`)} RENAME TO ${quoted(`driftline_rows_${to}`)}`,
    ...['_position', '_position_living'].map(index),
    `UPDATE driftline_touched SET table_name = '${to}' WHERE table_name = '${from}'`,
  ]
}

export function unadoptInSqlite(table: Remembered): string[] {
  return [
    ...dropTriggersInSqlite(table),
    `DROP TABLE IF EXISTS ${quoted(`driftline_rows_${table.name}`)}`,
    `DELETE FROM driftline_touched WHERE table_name = '${table.name}'`,
  ]
}

/** Microseconds since 1970. */
const now = `(CAST(unixepoch('subsec') * 1000 AS INTEGER) * 1000)`

/** The scope of OLD or NEW, whose columns an expression does not find by themselves. */
function scopeOf({ adopted }: AdoptedTable, row: 'OLD' | 'NEW'): string {
  if ('column' in adopted.scope) return `CAST(${row}.${quoted(adopted.scope.column)} AS TEXT)`
  const columns = columnsIn(adopted.scope.sql).map((name) => `${row}.${quoted(name)} AS ${quoted(name)}`)
  return `(SELECT CAST((${adopted.scope.sql}) AS TEXT)${columns.length > 0 ? ` FROM (SELECT ${columns.join(', ')})` : ''})`
}

/** The names in an expression that stand for columns. */
function columnsIn(sql: string): string[] {
  const bare = sql.replaceAll(/'(?:[^']|'')*'/g, ' ')
  const names = [...bare.matchAll(/"([^"]+)"|\b([A-Za-z_]\w*)\b(?!\s*\()/g)].map(
    ([, quotedName, name]) => quotedName ?? name ?? '',
  )
  return [...new Set(names)].filter(
    (name) =>
      !/^(?:and|or|not|null|case|when|then|else|end|is|as|in|like|cast|text|integer|collate|between)$/i.test(name),
  )
}

function note(table: AdoptedTable, row: 'OLD' | 'NEW', kind: number | string, condition: string): string {
  const { name, adopted } = table
  const scope = scopeOf(table, row)
  return `INSERT INTO driftline_touched (scope, table_name, id, kind, at, bytes)
  SELECT ${scope}, '${name}', ${id(adopted, row)}, ${kind}, ${now}, ${bytesOf(table, row)} WHERE ${scope} IS NOT NULL AND ${condition}`
}

/** The rows that have what NEW has of a unique key, and so may have to go. */
function noteOver({ name, adopted }: AdoptedTable, columns: readonly string[], condition: string): string {
  const own = adoptedInSqlite.scope(adopted, 'own$')
  const same = columns.map((column) => `own$.${quoted(column)} = NEW.${quoted(column)}`).join(' AND ')
  return `INSERT INTO driftline_touched (scope, table_name, id, kind, at, bytes)
  SELECT ${own}, '${name}', ${id(adopted, 'own$')}, ${perhaps}, ${now}, 64 FROM ${app(adopted)} AS own$ WHERE ${same} AND ${condition} AND ${own} IS NOT NULL`
}

/** Whether the push that is under way did not stamp the row itself, and left it otherwise. */
function isForeign(table: AdoptedTable, row: 'OLD' | 'NEW', deleted: boolean): string {
  return `NOT EXISTS (SELECT 1 FROM driftline_push AS push$ JOIN ${side(table)} AS own$ ON own$.scope = push$.scope AND own$.id = ${id(table.adopted, row)} AND own$.position > push$.base AND own$.position <= push$.until AND ${deleted ? '' : 'NOT '}own$.deleted WHERE push$.scope = ${scopeOf(table, row)})`
}

function differs(table: AdoptedTable, readonly: boolean): string {
  const columns = table.columns.filter((column) => (column.readonly === true) === readonly)
  const soft = !readonly && table.adopted.softDelete !== undefined ? [table.adopted.softDelete] : []
  const names = [...columns.map(sourceOf), ...soft].map(quoted)
  if (names.length === 0) return '0'
  return `(${names.map((name) => `OLD.${name} IS NOT NEW.${name}`).join(' OR ')})`
}

export function bytesOf(table: AdoptedTable, row: string): string {
  const long = table.columns.filter(({ type }) => isLong(type))
  return ['64', ...long.map((column) => `coalesce(octet_length(${row}.${quoted(sourceOf(column))}), 0)`)].join(' + ')
}
