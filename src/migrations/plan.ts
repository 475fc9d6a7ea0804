import type { Schema, Table, TableColumn } from '../model/table.ts'
import { quoted } from '../sql/dialect.ts'
import { alter, alterNullable, alterType } from './advice.ts'
import { addColumn, createTable, type DialectName, dialectNames, livingIndex, positionIndex } from './ddl.ts'
import type { Snapshot, SnapshotColumn } from './snapshot.ts'
import { touchLine } from './touch.ts'

/** What leads from a snapshot to a schema. */
export interface Plan {
  readonly statements: { readonly [name in DialectName]: readonly string[] }
  /** Tables whose rows have got a value that their phones do not know, to be touched after the statements. */
  readonly touched: readonly string[]
  /** A sentence for each difference that only a person can turn into SQL. Where there is one, nothing is to be written. */
  readonly refusals: readonly string[]
}

/**
 * Writes new tables and new columns: they lose nothing, and a server of the version before goes on working beside them.
 * `number` is the next migration's, for the sentences.
 */
export function planMigration(before: Snapshot, schema: Schema, number: string): Plan {
  const differences = [
    ...schema.tables.flatMap((table) => {
      const columns = own(before, table.name)
      return columns ? alterTable(table, columns) : [made((dialect) => createTable(table, dialect))]
    }),
    ...Object.keys(before).flatMap((name) => (schema.tablesByName.has(name) ? [] : [goneTable(name)])),
    ...nameClashes(schema),
  ]
  const write = (dialect: DialectName) => differences.flatMap(({ make }) => make?.(dialect) ?? [])
  const statements = { postgres: write('postgres'), sqlite: write('sqlite') }
  const touched = schema.tables.filter((table) => isFilled(table, own(before, table.name))).map(({ name }) => name)
  const refusals = differences.flatMap((one) => (one.what ? [refusal(one.what, one.write, number)] : []))
  if (refusals.length > 0 && statements.sqlite.length > 0) {
    const lines = touched.map((table) => `, on a line of its own ${touchLine(table)}`)
    refusals.push(refusal('The rest is new', (dialect) => statements[dialect].join('; ') + lines.join(''), number))
  }
  return { statements, touched, refusals }
}

/** Whether the rows that exist get the default of a new column. One without comes as NULL, which is what a phone has. */
function isFilled({ columns }: Table, was: Snapshot[string] | undefined): boolean {
  return was !== undefined && columns.some(({ name, default: value }) => value !== undefined && !own(was, name))
}

/** Either statements to make, or what a person must judge and would write. */
interface Difference {
  readonly make?: (dialect: DialectName) => readonly string[]
  readonly what?: string
  readonly write?: ((dialect: DialectName) => string) | undefined
}

const made = (make: NonNullable<Difference['make']>): Difference => ({ make })
const refused = (what: string, write?: (dialect: DialectName) => string): Difference => ({ what, write })

function alterTable(table: Table, columns: Snapshot[string]): Difference[] {
  const gone = Object.keys(columns).filter((name) => !table.places.has(name))
  return [
    ...table.columns.flatMap((column) => {
      const was = own(columns, column.name)
      return was ? changedColumn(table.name, was, column) : [newColumn(table, column)]
    }),
    ...gone.map((name) => {
      const alters = alter(table.name)
      return refused(
        `${table.name}.${name} is gone from the schema`,
        () => `${alters} DROP COLUMN ${quoted(name)} (or ${alters} RENAME COLUMN ${quoted(name)} TO its new name)`,
      )
    }),
  ]
}

function newColumn(table: Table, column: TableColumn): Difference {
  if (column.nullable || column.default !== undefined) return made((dialect) => [addColumn(table, column, dialect)])
  return refused(
    `${table.name}.${column.name} is new and required, and the rows that exist have no value for it: give it a default, or nullable: true`,
  )
}

/** A default that changed is no difference: it is the server that fills a column in. */
function changedColumn(table: string, was: SnapshotColumn, { name, type, nullable }: TableColumn): Difference[] {
  const where = `${table}.${name}`
  return [
    ...(was.type === type
      ? []
      : [refused(`${where} was ${was.type} and is ${type}`, (dialect) => alterType(dialect, table, name, type))]),
    ...(was.nullable === nullable
      ? []
      : [
          refused(`${where} was ${nullable ? 'required and is nullable' : 'nullable and is required'}`, (dialect) =>
            alterNullable(dialect, table, name, nullable),
          ),
        ]),
  ]
}

function goneTable(name: string): Difference {
  return refused(
    `The table ${name} is gone from the schema`,
    () => `DROP TABLE ${quoted(name)} (or ${alter(name)} RENAME TO its new name)`,
  )
}

/** Tables and indexes share one space of names in both databases. */
function nameClashes({ tables, tablesByName }: Schema): Difference[] {
  return tables.flatMap((table) =>
    [positionIndex(table.name), livingIndex(table.name), `${table.name}_pkey`]
      .filter((index) => tablesByName.has(index))
      .map((index) =>
        refused(`The table ${index} has the name of an index of the table ${table.name}: give it another`),
      ),
  )
}

function refusal(what: string, write: Difference['write'], number: string): string {
  if (!write) return `${what}.`
  const [postgres, sqlite] = dialectNames.map((dialect) => `migrations/${dialect}/${number}_NAME.sql`)
  const [one, other] = [write('postgres'), write('sqlite')]
  const files =
    one === other ? `in ${postgres} and ${sqlite} ${one}` : `in ${postgres} ${one}, and in ${sqlite} ${other}`
  return `${what}: write ${files}; then record it with npx driftline generate --accept.`
}

/** Names such as constructor are plain names. */
function own<Item>(record: { readonly [name: string]: Item }, name: string): Item | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}
