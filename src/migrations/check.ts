import { isAdopted, type Schema, type Table, type TableColumn } from '../model/table.ts'
import { quoted } from '../sql/quoted.ts'
import type { Store } from '../stores/store.ts'
import { checkAdopted } from './adopted/check-adopted.ts'
import { alterColumn, alterType, anew } from './advice.ts'
import { type FoundColumn, type FoundTable, readCatalog } from './catalog.ts'
import {
  addColumns,
  addKey,
  addsFloor,
  createPositionIndex,
  createUniqueIndex,
  type DialectName,
  deliveryColumns,
  inboxColumns,
  markColumns,
  rowColumns,
  type SystemColumn,
  scopeColumns,
  sqlTypes,
  stampColumnsOf,
} from './ddl.ts'

/**
 * Compares a database with the schema, in one round trip, and one more where tables are adopted. A
 * sentence for each thing that is missing or other than the server needs it, with what to do; none
 * where the database fits. What it has beyond the schema may be a newer server's and is a finding
 * only where it would refuse every row.
 */
export async function check(store: Store, schema: Schema): Promise<string[]> {
  const { name: dialect } = store.dialect
  const natives = schema.tables.filter((table) => !isAdopted(table))
  const names = [...Object.keys(system), ...natives.map(({ name }) => name)]
  const { tables, homeless } = await readCatalog(store, names)
  const scopes = tables.get('driftline_scopes')
  return [
    ...homeless,
    ...Object.entries(system).flatMap(([name, { columns, key }]) => {
      const found = tables.get(name)
      if (!found) return [`The table ${name} is missing: run npx driftline migrate.`]
      return [...checkSystem(name, found, columns, dialect), ...checkKey(name, found, key)]
    }),
    ...(scopes ? checkFloor(scopes, tables.has('driftline_adds'), dialect) : []),
    ...natives.flatMap((table) => {
      const found = tables.get(table.name)
      return found
        ? checkTable(table, found, dialect)
        : [`The table ${table.name} is missing: ${scopes ? howToAdd(table.name) : 'run npx driftline migrate'}.`]
    }),
    ...(await checkAdopted(store, schema)),
  ]
}

/** driftline's own tables. */
const system = {
  driftline_scopes: { columns: scopeColumns, key: ['scope'] },
  driftline_marks: { columns: markColumns, key: ['scope', 'position'] },
  driftline_inbox: { columns: inboxColumns, key: ['scope', 'source', 'id'] },
  driftline_deliveries: { columns: deliveryColumns, key: ['scope', 'endpoint', 'position'] },
  driftline_adds: { columns: addColumns, key: addKey },
}

/** It comes with driftline_adds, and where that is missing too the same migration makes both. */
function checkFloor(scopes: FoundTable, hasAdds: boolean, dialect: DialectName): string[] {
  const { name, type } = addsFloor
  if (scopes.columns.has(name))
    return checkSystem('driftline_scopes', { ...scopes, strict: true }, [addsFloor], dialect)
  if (!hasAdds) return []
  const column = `${name} ${sqlTypes[dialect][type]} NOT NULL DEFAULT 0`
  return [`driftline_scopes.${name} is missing: write ALTER TABLE "driftline_scopes" ADD COLUMN ${column}.`]
}

function checkTable(table: Table, found: FoundTable, dialect: DialectName): string[] {
  const { name, columns, places, unique } = table
  const kept = [...rowColumns, ...stampColumnsOf(table)]
  const rest = [...found.columns].filter(([column]) => !places.has(column) && !kept.some((one) => one.name === column))
  const serves = found.indexes.some(({ columns: [first, second] }) => first === 'scope' && second === 'position')
  return [
    ...checkSystem(name, found, rowColumns, dialect),
    ...columns.flatMap((column) => checkUser(name, column, found.columns.get(column.name), dialect)),
    ...checkStamps(table, found, dialect),
    ...rest.flatMap(([column, { notNull, hasDefault }]) =>
      notNull && !hasDefault
        ? [
            `${name}.${column} is not in the schema, and is NOT NULL without a default: add it there, or give it a default.`,
          ]
        : [],
    ),
    ...checkKey(name, found, ['scope', 'id']),
    ...unique.filter((key) => !isUnique(found.keys, ['scope', ...key])).map((key) => keyless(name, key)),
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
          : [unordered(where, alterColumn(dialect, table, name, 'TYPE text COLLATE "C"'))]),
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
  if (found.generated)
    return [
      `${where} is generated by the database, which refuses every row that names it: write a migration that makes it a column of its own, or take it out of the schema.`,
    ]
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
  if (isUnique(indexes, key)) return []
  const list = key.join(', ')
  return [
    `${table} has no unique key on (${list}), which ON CONFLICT needs: write CREATE UNIQUE INDEX ${quoted(`${table}_key`)} ON ${quoted(table)} (${list}).`,
  ]
}

function isUnique(indexes: FoundTable['indexes'], key: readonly string[]): boolean {
  const wanted = key.toSorted().join()
  return indexes.some(({ unique, columns }) => unique && columns.toSorted().join() === wanted)
}

const keyless = (table: string, key: readonly string[]) =>
  `${table} has no unique index on (${['scope', ...key].join(', ')}), which the schema asks for: write ${createUniqueIndex(table, key)}.`

/** What is kept beside the columns that have a stamp of their own, NULL where that is the row's. */
function checkStamps(table: Table, found: FoundTable, dialect: DialectName): string[] {
  const stamps = stampColumnsOf(table)
  const missing = stamps.filter(({ name }) => !found.columns.has(name)).map(({ name }) => `${table.name}.${name}`)
  const faults = stamps.flatMap(({ name, type, ordered }) => {
    const where = `${table.name}.${name}`
    const is = found.columns.get(name)
    if (!is) return []
    const alter = (change: string) => alterColumn(dialect, table.name, name, change)
    const wrongType = checkType(where, is, type, dialect, alterType(dialect, table.name, name, type))
    if (wrongType.length > 0) return wrongType
    return [
      ...(is.notNull ? [`${where} is NOT NULL, which refuses rows: write ${alter('DROP NOT NULL')}.`] : []),
      ...(ordered && !is.ordered ? [unordered(where, alter('TYPE text COLLATE "C"'))] : []),
    ]
  })
  if (missing.length === 0) return faults
  const are = missing.length === 1 ? 'is missing, which keeps a stamp' : 'are missing, which keep stamps'
  return [`${missing.join(', ')} ${are}: ${howToAdd(`stamps-of-${table.name}`)}.`, ...faults]
}

const unordered = (where: string, write: string) =>
  `${where} has not COLLATE "C", so that it sorts otherwise than JavaScript: write ${write}.`

function howToAdd(what: string): string {
  return `run npx driftline generate --name add-${what.replaceAll('_', '-')}, and npx driftline migrate`
}
