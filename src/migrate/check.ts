import type { Cells, Store } from '../stores/store.ts'
import type { Schema } from '../sync/table.ts'
import { columnType, type DatabaseColumn, type DialectName, scopeColumns, systemColumnsOf } from './ddl.ts'

/** What there is of one table. */
interface Found {
  readonly columns: Map<string, { readonly type: string; readonly required: boolean; readonly collation: string }>
  /** Columns of each index between commas; unique ones begin with `unique `. */
  readonly indexes: Set<string>
}

/** Compares a database with the schema: a sentence for everything that is missing or another, with what to do. Empty: it fits. */
export async function check(store: Store, schema: Schema): Promise<string[]> {
  const { name: dialect } = store.dialect
  const [columns = [], indexes = []] = await store.batch(
    '',
    inspect[dialect].map((sql) => ({ sql, params: [] })),
  )
  const tables = group(columns, indexes)
  const findings: string[] = []
  const scopes = tables.get('driftline_scopes')
  if (!scopes) return ['The table driftline_scopes is missing: run npm run migrate.']
  findings.push(
    ...scopeColumns(dialect).flatMap((column) => checkColumn('driftline_scopes', column, scopes, true, dialect)),
  )
  findings.push(...checkIndex('driftline_scopes', scopes, 'scope', true))
  for (const { name, columns: declared } of schema.tables) {
    const found = tables.get(name)
    if (!found) {
      findings.push(
        `The table ${name} is missing: run npm run generate -- --name add-${name.replaceAll('_', '-')}, then npm run migrate.`,
      )
      continue
    }
    findings.push(...systemColumnsOf(dialect).flatMap((column) => checkColumn(name, column, found, true, dialect)))
    for (const { name: column, type } of declared) {
      findings.push(
        ...checkColumn(name, { name: column, type: columnType(dialect, type), key: false }, found, false, dialect),
      )
    }
    findings.push(...checkIndex(name, found, 'scope,id', true), ...checkIndex(name, found, 'scope,position', false))
  }
  return findings
}

function checkColumn(
  table: string,
  { name, type, key }: DatabaseColumn,
  found: Found,
  required: boolean,
  dialect: DialectName,
): string[] {
  const where = `The column ${table}.${name}`
  const column = found.columns.get(name)
  if (!column)
    return [
      `${where} is missing: run npm run generate -- --name add-${name.replaceAll('_', '-')}, then npm run migrate.`,
    ]
  const findings: string[] = []
  if (column.type.toLowerCase() !== type.toLowerCase())
    findings.push(`${where} is ${column.type} and must be ${type}: change it by a migration of your own.`)
  if (required && !column.required)
    findings.push(`${where} must be NOT NULL: a NULL there would make its row unwritable.`)
  if (key && dialect === 'postgres' && column.collation !== 'C')
    findings.push(`${where} must have COLLATE "C": other orders disagree with the order of stamps.`)
  return findings
}

function checkIndex(table: string, { indexes }: Found, columns: string, unique: boolean): string[] {
  if (indexes.has(`unique ${columns}`) || (!unique && indexes.has(columns))) return []
  const spaced = columns.replaceAll(',', ', ')
  return unique
    ? [
        `The table ${table} has no unique key on (${spaced}), which ON CONFLICT needs: ALTER TABLE "${table}" ADD PRIMARY KEY (${spaced}).`,
      ]
    : [
        `The table ${table} has no index on (${spaced}), without which every pull reads all of it: CREATE INDEX "${table}_position" ON "${table}" (${spaced}).`,
      ]
}

function group(columns: readonly Cells[], indexes: readonly Cells[]): Map<string, Found> {
  const tables = new Map<string, Found>()
  const of = (table: unknown) => {
    const found = tables.get(String(table)) ?? { columns: new Map(), indexes: new Set() }
    tables.set(String(table), found)
    return found
  }
  for (const [table, name, type, required, collation] of columns) {
    of(table).columns.set(String(name), {
      type: String(type),
      required: Number(required) === 1,
      collation: String(collation),
    })
  }
  for (const [table, unique, names] of indexes)
    of(table).indexes.add(`${Number(unique) === 1 ? 'unique ' : ''}${names}`)
  return tables
}

/** Columns (table, name, type, required, collation) and whole, valid indexes (table, unique, columns) of what the connection finds. */
const inspect: Record<DialectName, readonly [columns: string, indexes: string]> = {
  postgres: [
    `SELECT c.relname, a.attname, format_type(a.atttypid, NULL), CASE WHEN a.attnotnull THEN 1 ELSE 0 END, coalesce(l.collname, '')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)`,
    `SELECT c.relname, CASE WHEN i.indisunique THEN 1 ELSE 0 END, (SELECT string_agg(a.attname, ',' ORDER BY k.n)
FROM unnest(i.indkey) WITH ORDINALITY AS k (attnum, n) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE pg_table_is_visible(c.oid) AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL`,
  ],
  sqlite: [
    `SELECT m.name, c.name, c.type, CASE WHEN c."notnull" OR (c.pk > 0 AND m.name = 'driftline_scopes') THEN 1 ELSE 0 END, ''
FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'`,
    `SELECT m.name, i."unique", (SELECT group_concat(x.name, ',') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno) AS x)
FROM sqlite_schema AS m JOIN pragma_index_list(m.name) AS i WHERE m.type = 'table' AND i.partial = 0`,
  ],
}
