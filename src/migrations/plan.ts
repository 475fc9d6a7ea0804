import { baseAt, isCounter, stampColumn } from '../model/merge.ts'
import { isAdopted, type Schema, type Table, type TableColumn, withTables } from '../model/table.ts'
import { planAdopted } from './adopted/plan-adopted.ts'
import {
  addColumn,
  addStampColumn,
  createTable,
  createUniqueIndex,
  type DialectName,
  fillColumn,
  isNumbered,
  stampColumnsOf,
} from './ddl.ts'
import { type Draft, draftGoneTable, draftTable } from './draft.ts'
import { draftKey, nameClashes, planKeys } from './keys.ts'
import { planRenames } from './renames.ts'
import { own, type Snapshot, type SnapshotTable } from './snapshot.ts'

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
  /** A line to print for each thing to be done beside the migration. */
  readonly minded: readonly string[]
  /** What a person must judge. */
  readonly drafts: readonly Draft[]
  /**
   * A sentence for each thing that the schema must say otherwise. Where there is one, nothing is to
   * be written.
   */
  readonly refusals: readonly string[]
}

/** The tables that driftline made, and those that it adopted, each by its own rules. */
export function planMigration(snapshot: Snapshot, schema: Schema): Plan {
  const entries = Object.entries(snapshot)
  const natives = Object.fromEntries(entries.filter(([, { adopted }]) => !adopted))
  const adopted = Object.fromEntries(entries.flatMap(([name, was]) => (was.adopted ? [[name, was.adopted]] : [])))
  const own = planNatives(natives, nativesOf(schema))
  const beside = planAdopted(natives, adopted, schema)
  return {
    statements: {
      postgres: [...own.statements.postgres, ...beside.statements.postgres],
      sqlite: [...own.statements.sqlite, ...beside.statements.sqlite],
    },
    touched: own.touched,
    renamed: [...own.renamed, ...beside.renamed],
    minded: [...own.minded, ...beside.minded],
    drafts: [...own.drafts, ...beside.drafts],
    refusals: [...own.refusals, ...beside.refusals],
  }
}

const nativesOf = (schema: Schema): Schema => ({
  ...schema,
  ...withTables(
    schema.tables.filter((table) => !isAdopted(table)),
    schema.renamedFrom,
  ),
})

/**
 * Renames what the schema says was renamed, and writes new tables, columns, stamps, and keys that
 * no two rows can share: beside these a server of the version before goes on working. All else
 * becomes drafts.
 */
function planNatives(snapshot: Snapshot, schema: Schema): Plan {
  const { make, after: before, said } = planRenames(snapshot, schema)
  const there = schema.tables.flatMap((table) => {
    const was = own(before, table.name)
    if (!was) return []
    const stamps = stampColumnsOf(table).filter(({ name }) => !was.stamps.includes(name))
    return [{ table, was, stamps, keys: planKeys(table, was) }]
  })
  const added = there.flatMap(({ table, was }) =>
    table.columns.filter(({ name }) => !own(was.columns, name)).map((column) => ({ table, column })),
  )
  const isFillable = ({ column }: { column: TableColumn }) =>
    column.nullable || column.default !== undefined || isNumbered(column)
  const write = (dialect: DialectName) => [
    ...make(dialect),
    ...there.flatMap(({ keys }) => keys.dropped),
    ...added.filter(isFillable).map(({ table, column }) => addColumn(table, column, dialect)),
    ...added.filter(({ column }) => isNumbered(column)).map(({ table, column }) => fillColumn(table, column)),
    ...there.flatMap(({ table, stamps }) => stamps.map((stamp) => addStampColumn(table.name, stamp, dialect))),
    ...there.flatMap(({ table, keys }) => keys.certain.map((key) => createUniqueIndex(table.name, key))),
    ...schema.tables.filter(({ name }) => !own(before, name)).flatMap((table) => createTable(table, dialect)),
  ]
  return {
    statements: { postgres: write('postgres'), sqlite: write('sqlite') },
    // The rows that exist get the default of a new column, or their number. One without comes as
    // NULL, which is what a phone has.
    touched: schema.tables
      .filter((table) =>
        added.some(({ table: of, column }) => of === table && (column.default !== undefined || isNumbered(column))),
      )
      .map(({ name }) => name),
    renamed: said,
    minded: [
      ...there.filter(({ table, was }) => beginsStamps(table, was)).map(({ table }) => stopFirst(table)),
      ...added.filter(({ column }) => isNumbered(column)).map(({ table, column }) => numberless(table, column)),
    ],
    drafts: [
      ...there.flatMap(({ table, was, keys }) => [
        ...draftOf(table, was, keys.doubtful),
        ...keys.doubtful.map((key) => draftKey(table, key)),
      ]),
      ...Object.entries(before).flatMap(([name, was]) =>
        schema.tablesByName.has(name) ? [] : [draftGoneTable(name, was)],
      ),
    ],
    refusals: [
      ...added.filter((one) => !isFillable(one)).map(({ table, column }) => valueless(table, column)),
      ...nameClashes(schema),
    ],
  }
}

/** A default that changed is no difference: it is the server that fills a column in. */
function draftOf(table: Table, was: SnapshotTable, doubtful: Table['unique']): Draft[] {
  const needed = stampColumnsOf(table).map(({ name }) => name)
  const goneColumns = Object.keys(was.columns).filter((name) => !table.places.has(name))
  const goneCounters = goneColumns.filter((name) => own(was.columns, name)?.counter)
  const goneStamps = was.stamps.filter((name) => !needed.includes(name))
  const changed = table.columns.flatMap((column) => {
    const before = own(was.columns, column.name)
    if (!before) return []
    const isOther = before.type !== column.type || before.nullable !== column.nullable
    return isOther || (isCounter(column) && !before.counter) ? [{ column, was: before }] : []
  })
  if (goneColumns.length + goneStamps.length + changed.length === 0) return []
  return [draftTable(table, { goneColumns, goneCounters, goneStamps, changed, doubtful })]
}

/** Whether columns get stamps that servers of before write without. */
function beginsStamps(table: Table, { columns, stamps }: SnapshotTable): boolean {
  const isNew = (name: string) => !stamps.includes(name)
  const counts = table.columns.some(
    (column) => isCounter(column) && own(columns, column.name) && isNew(stampColumn(column.name)),
  )
  return counts || (table.byColumn && isNew(baseAt))
}

const stopFirst = ({ name }: Table) =>
  `Stop the servers of before while you migrate: they would leave old stamps beside what they write to ${name}`

const numberless = (table: Table, { name, nullable }: TableColumn) =>
  `Stop the servers of before while you migrate: the rows that they make have ${nullable ? 'no number' : '0'} in ${table.name}.${name}`

function valueless({ name }: Table, column: TableColumn): string {
  if (column.filled) {
    const until = column.filled === 'written' ? ' until they are written' : ''
    return `${name}.${column.name} is new and required, and nobody knows what the server's clock said for the rows that exist: give it nullable: true, and they have null${until}, or what a migration of your own fills in.`
  }
  const remedy = 'a default, or nullable: true'
  return `${name}.${column.name} is new and required, and the rows that exist have no value for it: give it ${remedy}.`
}
