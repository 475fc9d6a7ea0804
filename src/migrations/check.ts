import type { Schema, Table, TableColumn } from '../model/table.ts'
import { quoted } from '../sql/dialect.ts'
import type { Store } from '../stores/store.ts'
import { alterColumn, alterType, anew } from './advice.ts'
import { type FoundColumn, type FoundTable, readCatalog } from './catalog.ts'
import {
  createPositionIndex,
  type DialectName,
  deliveryColumns,
  inboxColumns,
  markColumns,
  rowColumns,
  type SystemColumn,
  scopeColumns,
  sqlTypes,
} from './ddl.ts'

/**
 * Compares a database with the schema, in one round trip. A sentence for each thing that is missing
 * or other than the server needs it, with what to do; none where the database fits. What it has
 * beyond the schema may be a newer server's and is a finding only where it would refuse every row.
 */
export async function check(store: Store, schema: Schema): Promise<string[]> {
  const { name: dialect } = store.dialect
  const names = [...Object.keys(system), ...schema.tables.map(({ name }) => name)]
  const { tables, homeless } = await readCatalog(store, names)
  const scopes = tables.get('driftline_scopes')
  return [
    ...homeless,
    ...Object.entries(system).flatMap(([name, { columns, key }]) => {
      const found = tables.get(name)
      if (!found) return [`The table ${name} is missing: run npx driftline migrate.`]
      return [...checkSystem(name, found, columns, dialect), ...checkKey(name, found, key)]
    }),
    ...schema.tables.flatMap((table) => {
      const found = tables.get(table.name)
      return found
        ? checkTable(table, found, dialect)
        : [`The table ${table.name} is missing: ${scopes ? howToAdd(table.name) : 'run npx driftline migrate'}.`]
    }),
  ]
}

/** driftline's own tables. */
const system = {
  driftline_scopes: { columns: scopeColumns, key: ['scope'] },
  driftline_marks: { columns: markColumns, key: ['scope', 'position'] },
  driftline_inbox: { columns: inboxColumns, key: ['scope', 'source', 'id'] },
  driftline_deliveries: { columns: deliveryColumns, key: ['scope', 'endpoint', 'position'] },
}

function checkTable(table: Table, found: FoundTable, dialect: DialectName): string[] {
  const { name, columns, places } = table
  const rest = [...found.columns].filter(
    ([column]) => !places.has(column) && !rowColumns.some((one) => one.name === column),
  )
  const serves = found.indexes.some(({ columns: [first, second] }) => first === 'scope' && second === 'position')
  return [
    ...checkSystem(name, found, rowColumns, dialect),
    ...columns.flatMap((column) => checkUser(name, column, found.columns.get(column.name), dialect)),
    ...rest.flatMap(([column, { notNull, hasDefault }]) =>
      notNull && !hasDefault
        ? [
            `${name}.${column} is not in the schema, and is NOT NULL without a default: add it there, or give it a default.`,
          ]
        : [],
    ),
    ...checkKey(name, found, ['scope', 'id']),
    ...(serves
      ? []
      : [
          `${name} has no index on (scope, position), so that every pull reads all of it: write ${createPositionIndex(name)}.`,
        ]),
  ]
}

function checkSystem(
  table: string,
  { columns, strict }: FoundTable,
  needed: readonly SystemColumn[],
  dialect: DialectName,
): string[] {
  return [
    ...(strict ? [] : [`${table} is not STRICT, so that numbers would change: write ${anew(table)}.`]),
    ...needed.flatMap(({ name, type, ordered }) => {
      const where = `${table}.${name}`
      const found = columns.get(name)
      if (!found) return [`${where} is missing: write a migration that adds it, ${sqlTypes[dialect][type]} NOT NULL.`]
      const wrongType = checkType(where, found, type, dialect, alterType(dialect, table, name, type))
      if (wrongType.length > 0) return wrongType
      return [
        ...(found.notNull
          ? []
          : [
              `${where} may be NULL, which makes a row unwritable: write ${alterColumn(dialect, table, name, 'SET NOT NULL')}.`,
            ]),
        ...(!ordered || found.ordered
          ? []
          : [
              `${where} has not COLLATE "C", so that it sorts otherwise than JavaScript: write ${alterColumn(dialect, table, name, 'TYPE text COLLATE "C"')}.`,
            ]),
      ]
    }),
  ]
}

function checkUser(
  table: string,
  { name, type }: TableColumn,
  found: FoundColumn | undefined,
  dialect: DialectName,
): string[] {
  const where = `${table}.${name}`
  if (!found) return [`${where} is missing: ${howToAdd(`${table}_${name}`)}.`]
  return [
    ...checkType(where, found, type, dialect, alterType(dialect, table, name, type)),
    ...(found.notNull
      ? [`${where} is NOT NULL, which refuses tombstones: write ${alterColumn(dialect, table, name, 'DROP NOT NULL')}.`]
      : []),
  ]
}

function checkType(
  where: string,
  found: FoundColumn,
  type: SystemColumn['type'],
  dialect: DialectName,
  write: string,
): string[] {
  const needed = sqlTypes[dialect][type]
  const is = found.type === 'timestamp with time zone' ? 'timestamptz' : found.type
  return is.toLowerCase() === needed.toLowerCase() ? [] : [`${where} is ${is} and must be ${needed}: write ${write}.`]
}

/** Without it every INSERT … ON CONFLICT fails. */
function checkKey(table: string, { indexes }: FoundTable, key: readonly string[]): string[] {
  const wanted = key.toSorted().join()
  if (indexes.some(({ unique, columns }) => unique && columns.toSorted().join() === wanted)) return []
  const list = key.join(', ')
  return [
    `${table} has no unique key on (${list}), which ON CONFLICT needs: write CREATE UNIQUE INDEX ${quoted(`${table}_key`)} ON ${quoted(table)} (${list}).`,
  ]
}

function howToAdd(what: string): string {
  return `run npx driftline generate --name add-${what.replaceAll('_', '-')}, and npx driftline migrate`
}
