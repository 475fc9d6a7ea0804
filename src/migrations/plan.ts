import type { Schema, Table, TableColumn } from '../model/table.ts'
import { addColumn, createTable, type DialectName, livingIndex, positionIndex } from './ddl.ts'
import { type Draft, draftGoneTable, draftTable } from './draft.ts'
import { planRenames } from './renames.ts'
import { own, type Snapshot } from './snapshot.ts'

/** What leads from a snapshot to a schema. */
export interface Plan {
  /** What is certain: it loses nothing. */
  readonly statements: { readonly [name in DialectName]: readonly string[] }
  /**
   * Tables whose rows have got a value that their phones do not know, to be touched after the
   * statements.
   */
  readonly touched: readonly string[]
  /** A line to print for each rename. */
  readonly renamed: readonly string[]
  /** What a person must judge. */
  readonly drafts: readonly Draft[]
  /**
   * A sentence for each thing that the schema must say otherwise. Where there is one, nothing is to
   * be written.
   */
  readonly refusals: readonly string[]
}

/**
 * Renames what the schema says was renamed, and writes new tables and new columns: beside these a
 * server of the version before goes on working. All else becomes drafts.
 */
export function planMigration(snapshot: Snapshot, schema: Schema): Plan {
  const { make, after: before, said } = planRenames(snapshot, schema)
  const there = schema.tables.flatMap((table) => {
    const was = own(before, table.name)
    return was ? [{ table, was }] : []
  })
  const added = there.flatMap(({ table, was }) =>
    table.columns.filter(({ name }) => !own(was, name)).map((column) => ({ table, column })),
  )
  const isFillable = ({ column }: { column: TableColumn }) => column.nullable || column.default !== undefined
  const write = (dialect: DialectName) => [
    ...make(dialect),
    ...added.filter(isFillable).map(({ table, column }) => addColumn(table, column, dialect)),
    ...schema.tables.filter(({ name }) => !own(before, name)).flatMap((table) => createTable(table, dialect)),
  ]
  return {
    statements: { postgres: write('postgres'), sqlite: write('sqlite') },
    // The rows that exist get the default of a new column. One without comes as NULL, which is what
    // a phone has.
    touched: schema.tables
      .filter((table) => added.some((one) => one.table === table && one.column.default !== undefined))
      .map(({ name }) => name),
    renamed: said,
    drafts: [
      ...there.flatMap(({ table, was }) => draftOf(table, was)),
      ...Object.keys(before).flatMap((name) => (schema.tablesByName.has(name) ? [] : [draftGoneTable(name)])),
    ],
    refusals: [
      ...added.filter((one) => !isFillable(one)).map(({ table, column }) => valueless(table, column)),
      ...nameClashes(schema),
    ],
  }
}

/** A default that changed is no difference: it is the server that fills a column in. */
function draftOf(table: Table, columns: Snapshot[string]): Draft[] {
  const gone = Object.keys(columns).filter((name) => !table.places.has(name))
  const changed = table.columns.flatMap((column) => {
    const was = own(columns, column.name)
    return was && (was.type !== column.type || was.nullable !== column.nullable) ? [{ column, was }] : []
  })
  return gone.length + changed.length > 0 ? [draftTable(table, gone, changed)] : []
}

function valueless({ name }: Table, column: TableColumn): string {
  return `${name}.${column.name} is new and required, and the rows that exist have no value for it: give it a default, or nullable: true.`
}

/** Tables and indexes share one space of names in both databases. */
function nameClashes({ tables, tablesByName }: Schema): string[] {
  return tables.flatMap((table) =>
    [positionIndex(table.name), livingIndex(table.name), `${table.name}_pkey`]
      .filter((index) => tablesByName.has(index))
      .map((index) => `The table ${index} has the name of an index of the table ${table.name}: give it another.`),
  )
}
