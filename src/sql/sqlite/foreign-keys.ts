import type { Table } from '../../model/table.ts'
import { basePosition } from '../dialect.ts'
import type { ForeignKeys } from '../rehearse-sql.ts'
import type { Cells, Statement } from '../statement.ts'

/** A Durable Object keeps tables of its own, which nobody may look into. */
const ownTables = `(SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_*' AND name NOT GLOB 'sqlite_*' LIMIT -1) AS tables$`

/**
 * → child, key, column of the child, parent, column of the parent: all foreign keys of the
 * database.
 */
export const readForeignKeys: Statement = {
  sql: `SELECT tables$.name, keys$.id, keys$."from", keys$."table", coalesce(keys$."to", (SELECT columns$.name FROM pragma_table_info(keys$."table") AS columns$ WHERE columns$.pk = keys$.seq + 1))
FROM ${ownTables} CROSS JOIN pragma_foreign_key_list(tables$.name) AS keys$ ORDER BY tables$.name, keys$.id, keys$.seq`,
  params: [],
  reads: true,
}

/**
 * → the columns of a unique index as the engine's message has them, and its name, which the message
 * leaves out.
 */
export const readUniqueNames: Statement = {
  sql: `SELECT group_concat(unique$.column$, ', '), unique$.index$ FROM (SELECT indexes$.name AS index$, concat(tables$.name, '.', columns$.name) AS column$
FROM ${ownTables} CROSS JOIN pragma_index_list(tables$.name) AS indexes$ CROSS JOIN pragma_index_info(indexes$.name) AS columns$
WHERE indexes$."unique" ORDER BY indexes$.name, columns$.seqno) AS unique$ GROUP BY unique$.index$`,
  params: [],
  reads: true,
}

interface Key {
  readonly child: string
  readonly parent: string
  readonly columns: readonly (readonly [of: string, at: string])[]
}

/**
 * SQLite checks deferred foreign keys at the commit alone, and has no statement that checks them
 * before. So a rehearsal and a Durable Object, whose commit comes later, look for children without
 * parents by themselves.
 */
export function foreignKeysOf(rows: readonly Cells[], tables: readonly Table[]): ForeignKeys {
  const keys = keysOf(rows)
  const synced = new Set(tables.map(({ name }) => name))
  // Rows are never removed, so by its key a parent is there for ever once it was written.
  const isByKey = ({ child, parent, columns }: Key) =>
    synced.has(child) &&
    synced.has(parent) &&
    columns
      .map(([, at]) => at)
      .sort()
      .join() === 'id,scope'
  const written = `child$.scope = ?1 AND child$.position > ${basePosition('?1', '?2')}`
  return {
    // A statement names each of its parameters: workerd takes no other.
    unmet: keys.map((key) => `SELECT 1 ${orphans(key)} AND ${isByKey(key) ? written : '?1 <> ?2'} LIMIT 1`),
    guards: ({ name }, raise) =>
      keys
        .filter((key) => (isByKey(key) ? key.child === name : key.child === name || key.parent === name))
        .map((key) => {
          const these = isByKey(key) ? ' AND child$.scope = ?1 AND child$.id IN (SELECT value FROM json_each(?2))' : ''
          return `SELECT ${raise('driftline_unmet', '1')} ${orphans(key)}${these}${these === '' ? ' AND ?1 <> ?2' : ''} LIMIT 1`
        }),
  }
}

function orphans({ child, parent, columns }: Key): string {
  const present = columns.map(([of]) => `child$.${name(of)} IS NOT NULL`).join(' AND ')
  const same = columns.map(([of, at]) => `parent$.${name(at)} = child$.${name(of)}`).join(' AND ')
  return `FROM ${name(child)} AS child$ WHERE ${present} AND NOT EXISTS (SELECT 1 FROM ${name(parent)} AS parent$ WHERE ${same})`
}

function keysOf(rows: readonly Cells[]): Key[] {
  const keys = new Map<string, { child: string; parent: string; columns: (readonly [string, string])[] }>()
  for (const [child, id, from, parent, to] of rows) {
    const key = `${child}\n${id}`
    const known = keys.get(key) ?? { child: String(child), parent: String(parent), columns: [] }
    known.columns.push([String(from), String(to)])
    keys.set(key, known)
  }
  return [...keys.values()]
}

/** Names of tables that are the user's own may hold anything. */
function name(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}
