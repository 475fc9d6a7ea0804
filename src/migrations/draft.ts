import { isCounter, stampColumn } from '../model/merge.ts'
import type { Table, TableColumn } from '../model/table.ts'
import type { ColumnType } from '../model/value.ts'
import { literal } from '../sql/literal.ts'
import { quoted } from '../sql/quoted.ts'
import { alter } from './advice.ts'
import { counterRange, type DialectName, sqlTypes } from './ddl.ts'
import { draftLine } from './draft-line.ts'
import { rebuild } from './rebuild.ts'
import type { SnapshotColumn, SnapshotTable } from './snapshot.ts'
import { touchLine } from './touch.ts'

/** What only a person can judge, and SQL to begin with. */
export interface Draft {
  /** A sentence for each difference, without its full stop. */
  readonly whats: readonly string[]
  readonly write: (dialect: DialectName) => readonly Block[]
}

export interface Block {
  readonly about: readonly string[]
  readonly statements: readonly string[]
  /** Lines for touches, as they stand in a file. */
  readonly touches?: readonly string[]
}

/** A column of a table that stays, and what it was before. */
export interface Changed {
  readonly column: TableColumn
  readonly was: SnapshotColumn
}

export function draftGoneTable(name: string, was: SnapshotTable): Draft {
  const about = [
    `The table ${name} is gone from the schema`,
    `Has it another name now? Take this back, and say renamedFrom in the schema. Else its rows are lost:`,
  ]
  const counts = Object.values(was.columns).some(({ counter }) => counter)
  const statements = [`DROP TABLE ${quoted(name)}`, ...(counts ? [forgetAdds(name)] : [])]
  return { whats: about.slice(0, 1), write: () => [{ about, statements }] }
}

/** Else they would be taken for those of another counter that gets the name. */
const forgetAdds = (table: string, column?: string) =>
  `DELETE FROM driftline_adds WHERE tbl = '${table}'${column === undefined ? '' : ` AND col = '${column}'`}`

/** What is other than it was in a table that stays. */
export interface Differences {
  /** Columns that the schema has no longer, and which of them were counters. */
  readonly goneColumns: readonly string[]
  readonly goneCounters: readonly string[]
  /**
   * Columns with stamps that are not needed any more, those of columns that are gone among them.
   */
  readonly goneStamps: readonly string[]
  readonly changed: readonly Changed[]
  /** New keys, which get a draft of their own. */
  readonly doubtful: Table['unique']
}

export function draftTable(table: Table, differences: Differences): Draft {
  const { goneColumns, goneCounters, goneStamps, changed } = differences
  const drop = (name: string) => `${alter(table.name)} DROP COLUMN ${quoted(name)}`
  const goneOf = (name: string): Block => ({
    about: [
      `${table.name}.${name} is gone from the schema`,
      'Has it another name now? Take this back, and say renamedFrom in the schema. Else its values are lost:',
    ],
    statements: [
      ...[name, ...goneStamps.filter((stamp) => stamp === stampColumn(name))].map(drop),
      ...(goneCounters.includes(name) ? [forgetAdds(table.name, name)] : []),
    ],
  })
  const useless = uselessStamps(differences)
  const saysUseless = useless.length > 0 ? [saysStamps(table, useless)] : []
  const stampless: Block[] = saysUseless.map((says) => ({
    about: [
      says,
      'No value is lost with them. Servers of before need them as long as they run, and so would the schema of before:',
    ],
    statements: useless.map(drop),
  }))
  return {
    whats: [
      ...goneColumns.map((name) => goneOf(name).about[0] as string),
      ...saysUseless,
      ...changed.flatMap((one) => saysOf(table, one)),
    ],
    write: (dialect) => {
      // SQLite cannot alter a column.
      if (dialect === 'sqlite' && changed.some(needsRebuild)) return [rebuilt(table, differences)]
      return [...goneColumns.map(goneOf), ...stampless, ...changed.flatMap((one) => alterColumn(dialect, table, one))]
    },
  }
}

/** Those of columns that stay, and of the table. */
const uselessStamps = ({ goneColumns, goneStamps }: Differences) =>
  goneStamps.filter((stamp) => !goneColumns.some((name) => stampColumn(name) === stamp))
const saysStamps = (table: Table, stamps: readonly string[]) =>
  `${stamps.map((name) => `${table.name}.${name}`).join(', ')}: stamps that the schema asks for no longer`

const isOtherType = ({ was, column }: Changed) => was.type !== column.type
const isOtherNull = ({ was, column }: Changed) => was.nullable !== column.nullable
const isNewCounter = ({ was, column }: Changed) => isCounter(column) && !was.counter
const needsRebuild = (one: Changed) =>
  isOtherNull(one) || isNewCounter(one) || sqlTypes.sqlite[one.was.type] !== sqlTypes.sqlite[one.column.type]

const saysType = (table: Table, { was, column }: Changed) =>
  `${table.name}.${column.name} was ${was.type} and is ${column.type}`
const saysNull = (table: Table, { column }: Changed) =>
  `${table.name}.${column.name} was ${column.nullable ? 'required and is nullable' : 'nullable and is required'}`
const saysCounter = (table: Table, { column }: Changed) => `${table.name}.${column.name} is a counter now`
const mindCounter =
  'What is stored is what it begins with. Apps that patch it by a number are rejected from now on: they must send add or set'
const saysOf = (table: Table, one: Changed): string[] => [
  ...(isNewCounter(one) ? [saysCounter(table, one)] : []),
  ...(isOtherType(one) ? [saysType(table, one)] : []),
  ...(isOtherNull(one) ? [saysNull(table, one)] : []),
]

function alterColumn(dialect: DialectName, table: Table, one: Changed): Block[] {
  const { was, column } = one
  const name = quoted(column.name)
  const touches = [touchLine(table.name)]
  const converted = convert(dialect, was.type, column.type, name)
  const blocks: Block[] = []
  if (isOtherType(one)) {
    // That of the old type cannot always be turned into one of the new.
    const preset = column.default === undefined ? '' : `, ALTER COLUMN ${name} SET DEFAULT ${fillerOf(column, dialect)}`
    const about = [saysType(table, one), 'Every value must be one of the new type; old phones know the old one:']
    const statements =
      dialect === 'sqlite'
        ? [`UPDATE ${quoted(table.name)} SET ${name} = ${converted} WHERE ${name} IS NOT NULL`]
        : [
            `${alter(table.name)} ALTER COLUMN ${name} DROP DEFAULT, ALTER COLUMN ${name} TYPE ${sqlTypes.postgres[column.type]} USING ${converted}${preset}`,
          ]
    blocks.push({ about, statements, touches })
  }
  if (isOtherNull(one) && column.nullable)
    blocks.push({
      about: [saysNull(table, one), 'Old phones take no null:'],
      statements: [dropCheck(table.name, column.name)],
    })
  if (isOtherNull(one) && !column.nullable) {
    blocks.push({
      about: [saysNull(table, one), `Rows without a value get one${valueHint(column)}, and phones hear of it:`],
      statements: [
        `UPDATE ${quoted(table.name)} SET ${name} = ${fillerOf(column, dialect)} WHERE ${name} IS NULL AND NOT deleted`,
        `${alter(table.name)} ADD CHECK (deleted OR ${name} IS NOT NULL)`,
      ],
      touches,
    })
  }
  if (isNewCounter(one))
    blocks.push({
      about: [saysCounter(table, one), `${mindCounter}:`],
      statements: [`${alter(table.name)} ADD ${counterRange(column.name)}`],
    })
  return blocks
}

/** All changes of a table at once. */
function rebuilt(table: Table, differences: Differences): Block {
  const { goneColumns, goneCounters, changed, doubtful } = differences
  const useless = uselessStamps(differences)
  const keys = table.unique.filter((key) => !doubtful.includes(key))
  const values = new Map(
    changed.map((one) => {
      const { was, column } = one
      const value = convert('sqlite', was.type, column.type, quoted(column.name))
      const filled = isOtherNull(one) && !column.nullable
      return [column.name, filled ? `coalesce(${value}, ${fillerOf(column, 'sqlite')})` : value]
    }),
  )
  const empty = changed.filter((one) => isOtherNull(one) && !one.column.nullable)
  return {
    about: [
      ...goneColumns.map((name) => `${table.name}.${name} is gone from the schema, and its values are lost`),
      ...(useless.length > 0 ? [saysStamps(table, useless)] : []),
      ...changed.flatMap((one) => saysOf(table, one)),
      ...(changed.some(isNewCounter) ? [`${mindCounter}.`] : []),
      'SQLite alters no column, so the table is made anew; rows keep their stamps and positions. Columns, indexes, triggers and constraints',
      'of your own are not in it: add them. Where a foreign key leads to this table, DROP TABLE follows its ON DELETE, or is refused.',
      ...empty.map(({ column }) => `Rows without ${column.name} get a value${valueHint(column)}.`),
    ],
    statements: [...rebuild(table, values, keys), ...goneCounters.map((name) => forgetAdds(table.name, name))],
    ...(changed.some((one) => isOtherType(one) || empty.includes(one)) && { touches: [touchLine(table.name)] }),
  }
}

/** The value of rows that have none: the default, or a word that no database takes for a value. */
const fillerOf = ({ type, default: value }: TableColumn, dialect: DialectName) =>
  value === undefined ? 'VALUE' : literal(type, value, dialect)
const valueHint = ({ default: value }: TableColumn) => (value === undefined ? ', to write in the place of VALUE' : '')

/**
 * A value of the old type as one of the new, where SQL can say it; else as it is, which a database
 * refuses rather than change it.
 */
function convert(dialect: DialectName, from: ColumnType, to: ColumnType, column: string): string {
  if (from === to) return column
  const known = conversions[`${from} to ${to}`]?.[dialect]
  return known?.(column) ?? (dialect === 'postgres' ? `${column}::${sqlTypes.postgres[to]}` : column)
}

const conversions: { readonly [fromTo: string]: { readonly [name in DialectName]?: (column: string) => string } } = {
  'text to json': { postgres: (column) => `to_json(${column})`, sqlite: (column) => `json_quote(${column})` },
  'json to text': { postgres: (column) => `${column} #>> '{}'`, sqlite: (column) => `${column} ->> '$'` },
  'boolean to integer': { postgres: (column) => `${column}::int::bigint` },
  'integer to boolean': { postgres: (column) => `${column} <> 0`, sqlite: (column) => `${column} <> 0` },
}

/**
 * Takes the CHECK of a required column away. Its name tells nothing: Postgres counts those of two
 * columns.
 */
function dropCheck(table: string, column: string): string {
  return `DO $$
DECLARE checked text;
BEGIN
  FOR checked IN SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = '${quoted(table)}'::regclass
    AND pg_get_constraintdef(oid) = format('CHECK ((deleted OR (%I IS NOT NULL)))', '${column}')
  LOOP
    EXECUTE format('${alter(table)} DROP CONSTRAINT %I', checked);
  END LOOP;
END $$`
}

/** A file of what is certain and what is not: `parts` as they are, drafts as comments. */
export function draftText(parts: readonly string[], drafts: readonly Draft[], dialect: DialectName): string {
  const blocks = drafts.flatMap(({ write }) => write(dialect)).map(blockText)
  const head = `${draftLine}\n-- What is commented out is for you to judge: take "-- " away where it is right, change it where it is not.`
  return `${[head, ...parts, ...blocks].join('\n\n')}\n`
}

function blockText({ about, statements, touches = [] }: Block): string {
  const commented = (lines: readonly string[]) => lines.join('\n').replace(/^/gm, '-- ')
  // Apart, so that an editor can take the comment from all of the SQL at once.
  return `${commented(about)}\n\n${commented([...statements.map((sql) => `${sql};`), ...touches])}`
}
