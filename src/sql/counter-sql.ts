import { fillsTime, isCounter, stampColumn } from '../model/merge.ts'
import type { Table } from '../model/table.ts'
import { basePosition, type Dialect } from './dialect.ts'
import { heldFields, keepsKey } from './held-key-sql.ts'
import type { Now } from './merge-sql.ts'
import { quoted } from './quoted.ts'
import { isStillSeen, seenFields } from './seen-sql.ts'
import type { Field } from './statement.ts'

/** Fields of what is added: an id, the column, and how much. */
const addFields: readonly Field[] = [
  { name: 'id$', type: 'text' },
  { name: 'ordinal$', type: 'integer' },
  { name: 'at$', type: 'integer' },
  { name: 'col$', type: 'text' },
  { name: 'n$', type: 'integer' },
]

/** The statements of a table's counters. */
export interface AddSql {
  /** Fields of the adds: behind them, where the table has keys, those of the key that it says. */
  readonly fields: readonly Field[]
  /** [scope, client, n, …now, …adds] → result lines of the rows that changed: adds what is new. */
  readonly add: string
  readonly addSilent: string
  /** [scope, client, n, …adds] → nothing: remembers what was added. Goes right behind `add`. */
  readonly remember: string
  /** The same of rows that must be as they were seen. */
  readonly addSeen: string
  readonly addSeenSilent: string
  readonly rememberSeen: string
  /**
   * The same of adds without a stamp, at most one for each counter of a row: each gets one later
   * than the last set, and than what the client has added before.
   */
  readonly addStampless: string
  readonly rememberStampless: string
  /**
   * [scope, client, n, …adds] → id, stamp and column of those that were counted before this push.
   */
  readonly known: string
  /** [scope, n] → nothing: what was added to the rows that this push deleted is nought. */
  readonly forget: string
}

interface AddParts {
  /** The scope's position before this push, as an item of FROM. */
  readonly base: string
  readonly now: Now
  readonly line: string
}

export function addSql(dialect: Dialect, table: Table, parts: AddParts): AddSql | undefined {
  const counters = table.columns.filter(isCounter)
  if (counters.length === 0) return undefined
  const [scope, client] = [dialect.param(1), dialect.param(2)] as const
  const fields = [...addFields, ...heldFields(table)]
  const rows = dialect.decodeRows(fields, 4)
  const seenRows = [...fields, ...seenFields]
  const held = (stampless: boolean) => {
    const isKept = keepsKey(dialect, table, client, stampless)
    return isKept === undefined ? '' : ` AND ${isKept}`
  }
  const found = dialect.found(table, scope, 'sent$.id$', 'CROSS JOIN')
  // Whether an add counts is asked of the row as it is once nobody else writes it.
  const locked = dialect.found(table, scope, 'sent$.id$', 'CROSS JOIN', 'locked')
  const known = (join: 'LEFT JOIN' | 'CROSS JOIN') => dialect.foundAdd(table.name, scope, client, join)
  const setAt = `CASE sent$.col$ ${counters.map(({ name }) => `WHEN '${name}' THEN found$.${quoted(stampColumn(name))}`).join(' ')} END`
  // An add does not ask for the row's stamp: only a set is above it, or a life before.
  const counts = `NOT found$.deleted AND (${setAt} IS NULL OR ${setAt} < ${dialect.stampText('sent$.at$', client)})${held(false)}`
  const raised = dialect.raisedAdd(table.name, { scope, by: client, at: 'sent$.at$', column: 'sent$.col$', setAt })
  const remember = (
    at: string,
    condition: string,
    of = rows,
  ) => `INSERT INTO driftline_adds (scope, at, by, tbl, id, col, n, position)
SELECT ${scope}, ${at}, ${client}, '${table.name}', sent$.id$, sent$.col$, sent$.n$, found$.position
FROM ${of} CROSS JOIN ${parts.base} ${found} WHERE ${condition} AND found$.position = scope$.base$ + sent$.ordinal$
ON CONFLICT (scope, at, by, tbl, id, col) DO NOTHING`
  const first = fillsTime(table) ? 5 : 4
  const news = (
    fields: readonly Field[],
    condition = '',
  ) => `${dialect.decodeRows(fields, first)} ${locked} ${known('LEFT JOIN')}
WHERE ${counts} AND known$.position IS NULL${condition}`
  const isSeen = ` AND ${isStillSeen(client)}`
  const add = addRows(dialect, table, parts, news(fields))
  const addSeen = addRows(dialect, table, parts, news(seenRows, isSeen))
  return {
    fields,
    add: `${add}\nRETURNING ${parts.line}`,
    addSilent: add,
    remember: remember('sent$.at$', counts),
    addSeen: `${addSeen}\nRETURNING ${parts.line}`,
    addSeenSilent: addSeen,
    rememberSeen: remember('sent$.at$', counts + isSeen, dialect.decodeRows(seenRows, 4)),
    addStampless: `${addRows(dialect, table, parts, `${dialect.decodeRows(fields, first)} ${locked} WHERE NOT found$.deleted AND CAST(${client} AS text) IS NOT NULL${held(true)}`)}\nRETURNING ${parts.line}`,
    rememberStampless: remember(raised, `NOT found$.deleted${held(true)}`),
    known: `SELECT sent$.id$, sent$.at$, sent$.col$ FROM ${rows} CROSS JOIN ${parts.base} ${known('CROSS JOIN')} WHERE known$.position <= scope$.base$`,
    forget: `UPDATE driftline_adds SET n = 0 WHERE scope = ${scope} AND tbl = '${table.name}' AND n <> 0
AND id IN (SELECT id FROM ${quoted(table.name)} WHERE ${dialect.above(scope, basePosition(scope, dialect.param(2)))} AND deleted)`,
  }
}

/** Adds to the counters of rows, each row once. The row is written whole, as a patch writes it. */
function addRows(dialect: Dialect, table: Table, { base, now }: AddParts, adds: string): string {
  const scope = dialect.param(1)
  const locked = dialect.found(table, scope, 'sent$.id$', 'CROSS JOIN', 'locked')
  const sums = table.columns
    .filter(isCounter)
    .map(
      ({ name, key }) =>
        `CAST(coalesce(sum(CASE WHEN sent$.col$ = '${name}' THEN sent$.n$ END), 0) AS bigint) AS ${key}`,
    )
  const values = table.columns.map((column) => {
    const own = `found$.${quoted(column.name)}`
    if (isCounter(column)) return `${own} + sent$.${column.key}`
    return column.filled === 'written' ? now(column) : own
  })
  const set = table.columns
    .filter((column) => isCounter(column) || column.filled === 'written')
    .map(({ name }) => `${quoted(name)} = excluded.${quoted(name)}`)
  return `INSERT INTO ${quoted(table.name)} AS stored$ (scope, id, updated_at, updated_by, deleted, position, created_position, ${table.columns.map(({ name }) => quoted(name)).join(', ')})
SELECT ${scope}, found$.id, found$.updated_at, found$.updated_by, found$.deleted, scope$.base$ + sent$.ordinal$, found$.created_position, ${values.join(', ')}
FROM (SELECT sent$.id$, min(sent$.ordinal$) AS ordinal$, ${sums.join(', ')}
FROM ${adds} GROUP BY sent$.id$) AS sent$ CROSS JOIN ${base} ${locked} WHERE 1 = 1
ON CONFLICT (scope, id) DO UPDATE SET position = excluded.position, ${set.join(', ')}`
}
