import { checkSince } from './column.ts'
import { defineTable } from './define-table.ts'
import { limits } from './limits.ts'
import { checkRenames, checkRetired } from './names.ts'
import { type Schema, type SchemaTables, withTables } from './table.ts'

/**
 * Declares the synced tables. Names are lower case with digits and underscores, so that no database
 * folds or quotes them differently. Throws a `TypeError` that says what to write instead.
 */
export function defineSchema<const Tables extends SchemaTables>(
  declared: Tables,
  { messages = {}, renamedFrom = {}, retired = {}, since = {}, unique = {}, rewrites = [] }: SchemaOptions = {},
): Schema<Tables> {
  const retiredOf = (name: string) => (Object.hasOwn(retired, name) ? retired[name] : undefined)
  const keysOf = (name: string) => (Object.hasOwn(unique, name) ? unique[name] : undefined)
  const tables = Object.entries(declared).map(([name, columns]) =>
    defineTable(name, columns, {
      retired: retiredOf(name),
      unique: keysOf(name),
      rewrites: rewrites.includes(name),
    }),
  )
  if (tables.length > limits.tablesMax) throw new TypeError(`A schema has ${limits.tablesMax} tables at the most`)
  const names = new Set(tables.map(({ name }) => name))
  for (const { name } of tables) {
    // Postgres cuts what it makes of a table's name at 63 letters.
    for (const index of [`${name}_position`, `${name}_position_living`, `${name.slice(0, 58)}_pkey`]) {
      if (names.has(index))
        throw new TypeError(`The table ${index} has the name of an index of the table ${name}: rename one`)
    }
  }
  const renames = Object.entries(renamedFrom)
  checkRenames('table', renames, names)
  const gone = Object.keys(retired).filter((name) => !names.has(name))
  for (const name of gone)
    if (retired[name] !== true) throw new TypeError(`retired names columns of ${name}, which is no table: write true`)
  checkRetired('table', gone, names, new Set(Object.values(renamedFrom)))
  for (const name of [...Object.keys(unique), ...rewrites])
    if (!names.has(name)) throw new TypeError(`unique or rewrites names ${name}, which is no table of the schema`)
  for (const [name, version] of Object.entries(since)) {
    if (!names.has(name)) throw new TypeError(`since names ${name}, which is no table of the schema`)
    checkSince(name, version)
  }
  return Object.freeze({
    ...withTables(tables, renames),
    messages: new Map(Object.entries(messages)),
    renamedFrom: new Map(renames),
    retired: new Set(gone),
    since: new Map(Object.entries(since)),
  })
}

export interface SchemaOptions {
  /**
   * What a client is told where it breaks a constraint of the app's own, by its name: that of a
   * constraint or unique index, or on SQLite the text that a trigger raises. A client learns the
   * name too.
   */
  readonly messages?: Readonly<Record<string, string>>
  /**
   * The names that tables had before, by those that they have: `{ tasks: 'todos' }`. As that of a
   * column.
   */
  readonly renamedFrom?: Readonly<Record<string, string>>
  /**
   * What is gone, and apps in the field still send: `{ todos: ['color'], labels: true }`, columns
   * of a table, or a whole table. It is accepted and dropped.
   */
  readonly retired?: Readonly<Record<string, true | readonly string[]>>
  /** The versions of the app that were the first to know tables. As that of a column. */
  readonly since?: Readonly<Record<string, number>>
  /**
   * Keys over several columns that are unique among the living rows of a scope: `{ members:
   * [['team', 'email']] }`. Where one of the columns is null there is no key.
   */
  readonly unique?: Readonly<Record<string, readonly (readonly string[])[]>>
  /**
   * Tables whose triggers, defaults or generated columns change what is sent: writers always get
   * what is stored.
   */
  readonly rewrites?: readonly string[]
}
