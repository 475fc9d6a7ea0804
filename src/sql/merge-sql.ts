import { baseAt, baseBy, hasStamp, isCounter, isMerged, isPlain, stampColumn } from '../model/merge.ts'
import type { Table, TableColumn } from '../model/table.ts'
import { type Assigned, anyOf, type Dialect, type Meeting } from './dialect.ts'
import { quoted } from './quoted.ts'

/**
 * The rules of MERGE 4 as SQL. Each column becomes a function of what is stored and what is sent,
 * of that column and of the stamps alone. `stored$` is the row, `excluded` the change.
 */

const sentStamp = '(excluded.updated_at, excluded.updated_by)'
const isLater = `(stored$.updated_at, stored$.updated_by) < ${sentStamp}`
const bothLive = 'NOT stored$.deleted AND NOT excluded.deleted'
const stored = (name: string) => `stored$.${quoted(name)}`
const sent = (name: string) => `excluded.${quoted(name)}`

type Spelled = Pick<Dialect, 'stampText' | 'addedSince' | 'param'>

/**
 * `sets`: a put sets the counters of which it brings the stamp as well, as the rows of an import
 * do. In a push those are a patch behind the put.
 */
export function meeting(dialect: Spelled, table: Table, { sets = false } = {}): Meeting {
  const wins = winsOver(table)
  const text = dialect.stampText('excluded.updated_at', 'excluded.updated_by')
  const before = dialect.stampText('stored$.updated_at', 'stored$.updated_by')
  const base = dialect.stampText(...baseOf('stored$'))
  const counters = sets ? table.columns.filter((column) => isCounter(column) && !column.kept) : []
  const isSet = new Map(counters.map((column) => [column, setsCounter(column, wins)]))
  const isSome = counters.length > 0 ? ` OR (${bothLive} AND (${anyOf([...isSet.values()])}))` : ''
  const applies = isSome === '' ? appliesTo(table, wins, text) : `(${appliesTo(table, wins, text)}${isSome})`
  const assigned = table.columns.flatMap((column): Assigned[] => {
    const [name, own, new_] = [quoted(column.name), stored(column.name), sent(column.name)]
    const stamp = stampColumn(column.name)
    if (column.filled === 'written') return [[name, `CASE WHEN ${applies} THEN ${new_} ELSE ${own} END`]]
    const set = isSet.get(column)
    if (isPlain(column) && !column.kept) {
      if (!table.byColumn) return [[name, `CASE WHEN ${wins} THEN ${new_} ELSE ${own} END`]]
      const stays = `NOT (${wins}) OR (${stored(stamp)} IS NOT NULL AND ${stored(stamp)} >= ${text})`
      return [
        [name, `CASE WHEN ${stays} THEN ${own} ELSE ${new_} END`],
        [quoted(stamp), `CASE WHEN ${stays} THEN ${stored(stamp)} END`],
      ]
    }
    const lives = isMerged(column) && !column.kept ? merged(column, own, new_) : own
    const met = `CASE WHEN ${bothLive} THEN ${lives} WHEN ${wins} THEN ${new_} ELSE ${own} END`
    const value: Assigned = [
      name,
      set ? `CASE WHEN ${set} THEN ${new_}${added(dialect, table, column)} ELSE ${met} END` : met,
    ]
    if (!hasStamp(table, column)) return [value]
    // A revival counts as a set at the stamp of the tombstone. What a put leaves as it is keeps the
    // stamp that it had.
    const kept = isCounter(column)
      ? `CASE WHEN ${bothLive} OR NOT (${wins}) THEN ${stored(stamp)} WHEN stored$.deleted AND NOT excluded.deleted THEN ${before} END`
      : `CASE WHEN NOT (${wins}) THEN ${stored(stamp)} WHEN ${bothLive} THEN coalesce(${stored(stamp)}, ${base}) END`
    return [value, [quoted(stamp), set ? `CASE WHEN ${set} THEN ${sent(stamp)} ELSE ${kept} END` : kept]]
  })
  const isWhole = table.byColumn ? `${isLater} AND (${wins})` : isLater
  const whole = (name: string) => `CASE WHEN ${isWhole} THEN ${sent(name)} ELSE ${stored(name)} END`
  return {
    applies,
    assigned: [
      ...['updated_at', 'updated_by', 'deleted'].map((name): Assigned => [name, whole(name)]),
      ...assigned,
      ...(table.byColumn ? baseAssigned(wins) : []),
    ],
  }
}

/** Whether a put sets a counter: what was set later stays, and nothing of a life before. */
function setsCounter({ name }: TableColumn, wins: string): string {
  const [own, other] = [stored(stampColumn(name)), sent(stampColumn(name))]
  return `(${other} IS NOT NULL AND CASE WHEN stored$.deleted THEN ${wins} ELSE ${own} IS NULL OR ${own} < ${other} END)`
}

const added = ({ addedSince, param }: Spelled, table: Table, { name }: TableColumn) =>
  addedSince(table.name, name, {
    ...{ scope: param(1), id: 'stored$.id' },
    at: sent('updated_at'),
    by: sent('updated_by'),
  })

const baseAssigned = (wins: string): Assigned[] =>
  (
    [
      [baseAt, 'updated_at'],
      [baseBy, 'updated_by'],
    ] as const
  ).map(([base, from]) => [
    quoted(base),
    `CASE WHEN ${isLater} AND (${wins}) THEN NULL WHEN ${wins} THEN ${sent(from)} ELSE ${stored(base)} END`,
  ])

/** The two halves of the stamp of the last put. */
export function baseOf(row: string): [at: string, by: string] {
  return [
    `coalesce(${row}.${quoted(baseAt)}, ${row}.updated_at)`,
    `coalesce(${row}.${quoted(baseBy)}, ${row}.updated_by)`,
  ]
}

/** Whether a put is later than the last one, and a delete later than all of the row. */
function winsOver({ byColumn }: Table): string {
  if (!byColumn) return isLater
  return `(${baseOf('stored$').join(', ')}) < ${sentStamp} AND (NOT excluded.deleted OR ${isLater})`
}

function appliesTo(table: Table, wins: string, text: string): string {
  const merges = table.columns.filter((column) => isMerged(column) && !column.kept).map(changes)
  const some = merges.length > 0 ? ` OR (${bothLive} AND (${merges.join(' OR ')}))` : ''
  if (!table.byColumn) return `(${isLater}${some})`
  // Where it is later than all of the row, all of it is taken.
  const stamps = table.columns.filter((column) => isPlain(column) && !column.kept).map(({ name }) => stampColumn(name))
  const taken =
    stamps.length > 0 ? anyOf(stamps.map((name) => `${stored(name)} IS NULL OR ${stored(name)} < ${text}`)) : ''
  return `(${isLater} OR (${wins}${taken && ` AND (${taken})`})${some})`
}

/** The value of a column of which the greatest, the least or the first stays. */
function merged(column: TableColumn, own: string, other: string): string {
  if (column.merge === 'once') return `coalesce(${own}, ${other})`
  return `CASE WHEN ${isMore(column, own, other)} THEN ${other} ELSE ${own} END`
}

const changes = (column: TableColumn) => takes(column, stored(column.name), sent(column.name))

/** Whether another value changes the column. */
export function takes(column: TableColumn, own: string, other: string): string {
  if (column.merge === 'once') return `(${own} IS NULL AND ${other} IS NOT NULL)`
  return `(${isMore(column, own, other)})`
}

/** NULL gives way. */
const isMore = ({ merge }: TableColumn, own: string, other: string) =>
  `${other} IS NOT NULL AND (${own} IS NULL OR ${other} ${merge === 'max' ? '>' : '<'} ${own})`

/** What the new row of a put holds in a column that the server fills, or `value`. */
export function filledValue(column: TableColumn, value: string, position: string, now: Now, lives: string): string {
  if (!column.filled) return value
  const fill = column.type === 'timestamp' ? now(column) : position
  return `CASE WHEN ${lives} THEN ${fill} END`
}

/** The server's time, as a column holds it. */
export type Now = (column: TableColumn) => string

/** What a state of a row tells besides: its stamps, in one text. */
export function stampsCell(table: Table): string {
  const own = table.columns.filter((column) => hasStamp(table, column)).map(({ name }) => quoted(stampColumn(name)))
  const base = table.byColumn ? [quoted(baseAt), quoted(baseBy)] : []
  const names = [...base, ...own]
  return names.length === 0 ? "''" : names.map((name) => `coalesce(CAST(${name} AS text), '')`).join(` || ',' || `)
}
