import { uniqueIndex } from '../model/index-name.ts'
import { stampColumn } from '../model/merge.ts'
import type { Schema } from '../model/table.ts'
import { quoted } from '../sql/quoted.ts'
import { alter } from './advice.ts'
import {
  createLivingIndex,
  createPositionIndex,
  createUniqueIndex,
  type DialectName,
  dropIndex,
  livingIndex,
  positionIndex,
} from './ddl.ts'
import { own, type Snapshot, type SnapshotTable } from './snapshot.ts'

/** What `renamedFrom` asks for where a snapshot has the old name and not the new one. */
export interface Renames {
  /**
   * Rows, stamps and positions stay; CHECKs, foreign keys and triggers follow in both databases.
   */
  readonly make: (dialect: DialectName) => readonly string[]
  /** The snapshot by the new names. */
  readonly after: Snapshot
  /** A line to print for each. */
  readonly said: readonly string[]
}

export function planRenames(before: Snapshot, schema: Schema): Renames {
  const tables = namesOf(schema.renamedFrom, before)
  const moved = renameKeys(before, tables)
  const columns = schema.tables.flatMap((table) => {
    const was = own(moved, table.name)
    return was ? [{ table: table.name, was, names: namesOf(table.renamedFrom, was.columns) }] : []
  })
  const oldNames = new Map(tables)
  return {
    make: (dialect) => [
      ...tables.flatMap(([to, from]) => [
        ...renameTable(dialect, from, to),
        ...(counts(own(before, from)) ? [`UPDATE driftline_adds SET tbl = '${to}' WHERE tbl = '${from}'`] : []),
      ]),
      ...columns.flatMap(({ table, was, names }) => names.flatMap((pair) => renameColumn(table, was, pair))),
      ...columns.flatMap(({ table, was, names }) =>
        renameUnique(dialect, was.keys, [oldNames.get(table) ?? table, table], new Map(names.map(flip))),
      ),
    ],
    after: Object.fromEntries(
      Object.entries(moved).map(([name, was]) => {
        const names = columns.find(({ table }) => table === name)?.names ?? []
        return [name, renameIn(was, names)]
      }),
    ),
    said: [
      ...tables.map(([to, from]) => `The table ${from} is called ${to} now`),
      ...columns.flatMap(({ table, names }) => names.map(([to, from]) => `${table}.${from} is called ${to} now`)),
    ],
  }
}

type Names = readonly (readonly [to: string, from: string])[]

const flip = ([to, from]: Names[number]): [from: string, to: string] => [from, to]

const namesOf = (renamedFrom: ReadonlyMap<string, string>, was: { readonly [name: string]: unknown }): Names =>
  [...renamedFrom].filter(([to, from]) => own(was, from) !== undefined && own(was, to) === undefined)

function renameKeys<Item>(record: { readonly [name: string]: Item }, names: Names): { readonly [name: string]: Item } {
  const toOf = new Map(names.map(flip))
  return Object.fromEntries(Object.entries(record).map(([name, item]) => [toOf.get(name) ?? name, item]))
}

/** A column takes its stamp along, and its keys. */
function renameIn({ columns, stamps, keys }: SnapshotTable, names: Names): SnapshotTable {
  const toOf = new Map(names.map(flip))
  const stampOf = new Map(names.map(([to, from]) => [stampColumn(from), stampColumn(to)]))
  return {
    columns: renameKeys(columns, names),
    stamps: stamps.map((name) => stampOf.get(name) ?? name),
    keys: keys.map((key) => key.map((name) => toOf.get(name) ?? name)),
  }
}

/** The indexes too, so that a new table may have the old name. SQLite renames none. */
function renameTable(dialect: DialectName, from: string, to: string): string[] {
  return [
    `${alter(from)} RENAME TO ${quoted(to)}`,
    ...renameIndex(dialect, positionIndex(from), positionIndex(to), createPositionIndex(to)),
    ...renameIndex(dialect, livingIndex(from), livingIndex(to), createLivingIndex(to)),
  ]
}

/** What was added to a counter is remembered by its name. */
function renameColumn(table: string, { columns, stamps }: SnapshotTable, [to, from]: Names[number]): string[] {
  const rename = (of: string, as: string) => `${alter(table)} RENAME COLUMN ${quoted(of)} TO ${quoted(as)}`
  const stamp = stampColumn(from)
  return [
    rename(from, to),
    ...(stamps.includes(stamp) ? [rename(stamp, stampColumn(to))] : []),
    ...(own(columns, from)?.counter
      ? [`UPDATE driftline_adds SET col = '${to}' WHERE tbl = '${table}' AND col = '${from}'`]
      : []),
  ]
}

const counts = (table: SnapshotTable | undefined) => Object.values(table?.columns ?? {}).some(({ counter }) => counter)

/** The names of these indexes say the table and the columns. */
function renameUnique(
  dialect: DialectName,
  keys: SnapshotTable['keys'],
  [from, to]: readonly [from: string, to: string],
  toOf: ReadonlyMap<string, string>,
): string[] {
  return keys.flatMap((key) => {
    const next = key.map((name) => toOf.get(name) ?? name)
    const [was, is] = [uniqueIndex(from, key), uniqueIndex(to, next)]
    return was === is ? [] : renameIndex(dialect, was, is, createUniqueIndex(to, next))
  })
}

const renameIndex = (dialect: DialectName, from: string, to: string, create: string): string[] =>
  dialect === 'postgres' ? [`ALTER INDEX IF EXISTS ${quoted(from)} RENAME TO ${quoted(to)}`] : [dropIndex(from), create]
