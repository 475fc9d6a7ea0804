import type { Schema, Table } from '../model/table.ts'
import { quoted } from '../sql/dialect.ts'
import { alter } from './advice.ts'
import { createLivingIndex, createPositionIndex, type DialectName, livingIndex, positionIndex } from './ddl.ts'
import { own, type Snapshot } from './snapshot.ts'

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
    return was ? [{ table, names: namesOf(table.renamedFrom, was) }] : []
  })
  return {
    make: (dialect) => [
      ...tables.flatMap(([to, from]) => renameTable(dialect, from, to)),
      ...columns.flatMap(({ table, names }) => names.map(([to, from]) => renameColumn(table, from, to))),
    ],
    after: Object.fromEntries(
      Object.entries(moved).map(([name, was]) => {
        const names = columns.find(({ table }) => table.name === name)?.names ?? []
        return [name, renameKeys(was, names)]
      }),
    ),
    said: [
      ...tables.map(([to, from]) => `The table ${from} is called ${to} now`),
      ...columns.flatMap(({ table, names }) => names.map(([to, from]) => `${table.name}.${from} is called ${to} now`)),
    ],
  }
}

type Names = readonly (readonly [to: string, from: string])[]

const namesOf = (renamedFrom: ReadonlyMap<string, string>, was: { readonly [name: string]: unknown }): Names =>
  [...renamedFrom].filter(([to, from]) => own(was, from) !== undefined && own(was, to) === undefined)

function renameKeys<Item>(record: { readonly [name: string]: Item }, names: Names): { readonly [name: string]: Item } {
  const toOf = new Map(names.map(([to, from]) => [from, to]))
  return Object.fromEntries(Object.entries(record).map(([name, item]) => [toOf.get(name) ?? name, item]))
}

/** The indexes too, so that a new table may have the old name. SQLite renames none. */
function renameTable(dialect: DialectName, from: string, to: string): string[] {
  const indexes = [positionIndex, livingIndex]
  return [
    `${alter(from)} RENAME TO ${quoted(to)}`,
    ...(dialect === 'postgres'
      ? indexes.map((index) => `ALTER INDEX IF EXISTS ${quoted(index(from))} RENAME TO ${quoted(index(to))}`)
      : [
          ...indexes.map((index) => `DROP INDEX IF EXISTS ${quoted(index(from))}`),
          createPositionIndex(to),
          createLivingIndex(to),
        ]),
  ]
}

const renameColumn = ({ name }: Table, from: string, to: string) =>
  `${alter(name)} RENAME COLUMN ${quoted(from)} TO ${quoted(to)}`
