import { uniqueIndex } from '../model/index-name.ts'
import type { Schema, Table } from '../model/table.ts'
import { quoted } from '../sql/quoted.ts'
import { createUniqueIndex, dropIndex, livingIndex, positionIndex } from './ddl.ts'
import type { Draft } from './draft.ts'
import type { SnapshotTable } from './snapshot.ts'

type Key = readonly string[]

/** What becomes of the unique keys of a table that was there before. */
export interface KeyPlan {
  /** Indexes of keys that are none any more: nothing is lost with them. */
  readonly dropped: readonly string[]
  /** New keys that no two rows can share. */
  readonly certain: readonly Key[]
  /** New keys that rows may share already. */
  readonly doubtful: readonly Key[]
}

export function planKeys(table: Table, { columns, keys }: SnapshotTable): KeyPlan {
  const listOf = (key: Key) => key.join()
  const setOf = (key: Key) => key.toSorted().join()
  const [before, held, now] = [keys.map(listOf), keys.map(setOf), table.unique.map(listOf)]
  const added = table.unique.filter((key) => !before.includes(listOf(key)))
  // All rows have NULL in a new column without a default, and so no key.
  const isNull = (name: string) =>
    !Object.hasOwn(columns, name) && table.columns.some((column) => column.name === name && column.nullable)
  const isCertain = (key: Key) => held.includes(setOf(key)) || key.some(isNull)
  return {
    dropped: keys.filter((key) => !now.includes(listOf(key))).map((key) => dropIndex(uniqueIndex(table.name, key))),
    certain: added.filter(isCertain),
    doubtful: added.filter((key) => !isCertain(key)),
  }
}

/** A key that rows of before may share. */
export function draftKey({ name }: Table, key: Key): Draft {
  const columns = ['scope', ...key.map(quoted)].join(', ')
  const what = key.length === 1 ? `${name}.${key[0]} is unique now` : `(${key.join(', ')}) of ${name} is unique now`
  const about = [
    what,
    'Rows that exist may share a value, which would stop this. These are they:',
    `SELECT ${columns}, count(*) FROM ${quoted(name)} WHERE ${key.map((column) => `${quoted(column)} IS NOT NULL`).join(' AND ')} GROUP BY ${columns} HAVING count(*) > 1`,
    'Let the app change or delete them, or do it here, and tell the phones by a touch:',
  ]
  return { whats: [what], write: () => [{ about, statements: [createUniqueIndex(name, key)] }] }
}

/** Tables and indexes share one space of names in both databases. */
export function nameClashes({ tables, tablesByName }: Schema): string[] {
  const taken = new Map<string, string>()
  return tables.flatMap((table) => {
    const ofRows = [positionIndex(table.name), livingIndex(table.name), `${table.name}_pkey`]
    const ofKeys = table.unique.map((key) => [uniqueIndex(table.name, key), `(${key.join(', ')}) of ${table.name}`])
    return [...ofRows.map((index) => [index, `the table ${table.name}`]), ...ofKeys].flatMap(
      ([index = '', of = '']) => {
        const other = taken.get(index)
        taken.set(index, of)
        if (tablesByName.has(index)) return [`The table ${index} has the name of an index of ${of}: give it another.`]
        return other === undefined
          ? []
          : [`The index ${index} would be that of ${other} and of ${of}: give a table or column another name.`]
      },
    )
  })
}
