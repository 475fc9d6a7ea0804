import { baseAt, baseBy, hasStamp, isCounter, isMerged, isPlain, stampColumn } from '../model/merge.ts'
import type { Table, TableColumn } from '../model/table.ts'
import type { Assigned, Dialect } from './dialect.ts'
import { baseOf, type Now, takes } from './merge-sql.ts'
import { quoted } from './quoted.ts'

/** The patches of a row as one, over what is stored as `found$`. */
export interface Patching {
  /** The columns of the target that it sets, and to what. */
  readonly selected: readonly Assigned[]
  readonly applies: string
  readonly value: (column: TableColumn) => string
}

export interface PatchParams {
  readonly scope: string
  readonly client: string
  readonly now: Now
  readonly stampKey: (key: string) => string
  /** The patch wins over whatever is stored. */
  readonly stampless?: boolean
}

export function patching(dialect: Dialect, table: Table, params: PatchParams): Patching {
  const { client, stampKey, stampless = false } = params
  const own = (name: string) => `found$.${quoted(name)}`
  const at = stampless ? raisedAt : 'sent$.at$'
  const stampOf = (column: TableColumn) => `sent$.${stampKey(column.key)}`
  const isSaid = (column: TableColumn) => `${stampOf(column)} IS NOT NULL`
  const rowIsLower = (stamp: string) => `(found$.updated_at, found$.updated_by) < (${stamp}, ${client})`
  const isTaken = (column: TableColumn): string => {
    if (stampless && isPlain(column)) return isSaid(column)
    const stamp = stampOf(column)
    const of = own(stampColumn(column.name))
    if (isCounter(column)) {
      const set = stampless ? isSaid(column) : `(${of} IS NULL OR ${of} < ${dialect.stampText(stamp, client)})`
      return `(${isSaid(column)} AND ${set})`
    }
    if (!table.byColumn) return rowIsLower(stamp)
    const base = `(${baseOf('found$').join(', ')}) < (${stamp}, ${client})`
    return `CASE WHEN ${of} IS NULL THEN ${base} ELSE ${of} < ${dialect.stampText(stamp, client)} END`
  }
  // A set without a stamp is later than the last one, and than what its client has added.
  const setStamp = (column: TableColumn): string => {
    const edit = { scope: params.scope, by: client, at: stampOf(column), column: `'${column.name}'` }
    const setAt = own(stampColumn(column.name))
    return stampless ? dialect.raisedAdd(table.name, { ...edit, setAt }) : stampOf(column)
  }
  const isSet = (column: TableColumn) =>
    isMerged(column)
      ? `(${isSaid(column)} AND ${takes(column, own(column.name), `sent$.${column.key}`)})`
      : isTaken(column)
  const value = (column: TableColumn): string => {
    const { name, key, filled } = column
    if (filled) return filled === 'written' ? params.now(column) : own(name)
    const since = { scope: params.scope, at: setStamp(column), by: client }
    const sum = isCounter(column) ? dialect.addedSince(table.name, name, since) : ''
    return `CASE WHEN ${isSet(column)} THEN sent$.${key}${sum} ELSE ${own(name)} END`
  }
  const plain = table.columns.filter(isPlain)
  const rest = table.columns.filter((column) => !isPlain(column) && !column.filled)
  // What is later than the row is later than all of its columns.
  const newer = plain.length > 0 ? [stampless ? 'sent$.at$ IS NOT NULL' : rowIsLower(at)] : []
  const isNewer = newer[0] ?? '1 = 0'
  const single = table.byColumn ? [...newer, ...plain.map(isTaken)] : newer
  const moved = (column: string, to: string): string => `CASE WHEN ${isNewer} THEN ${to} ELSE found$.${column} END`
  const stamped = table.columns
    .filter((column) => hasStamp(table, column))
    .map((column): Assigned => {
      const stamp = stampColumn(column.name)
      const at$ = isCounter(column) ? setStamp(column) : stampless ? raisedAt : stampOf(column)
      const text = dialect.stampText(at$, client)
      return [quoted(stamp), `CASE WHEN ${isTaken(column)} THEN ${text} ELSE ${own(stamp)} END`]
    })
  const base = (['updated_at', 'updated_by'] as const).map((name, place): Assigned => {
    const column = place === 0 ? baseAt : baseBy
    return [quoted(column), moved(quoted(column), `coalesce(${own(column)}, found$.${name})`)]
  })
  return {
    selected: [
      ['updated_at', moved('updated_at', at)],
      ['updated_by', moved('updated_by', client)],
      ...table.columns.map((column): Assigned => [quoted(column.name), value(column)]),
      ...stamped,
      ...(table.byColumn ? base : []),
    ],
    applies: `(${[...single, ...rest.map(isSet)].join(' OR ') || '1 = 0'})`,
    value,
  }
}

/** A stamp that is later than what is stored, and the server's clock where that is later still. */
const raisedAt = 'CASE WHEN found$.updated_at >= sent$.at$ THEN found$.updated_at + 1 ELSE sent$.at$ END'
