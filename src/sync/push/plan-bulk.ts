import type { Change } from '../../model/change.ts'
import type { Table } from '../../model/table.ts'
import type { Tally } from '../../model/verdict.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { Cells } from '../../sql/statement.ts'
import { rowBytesMax } from './answer-size.ts'
import { planLock } from './lock.ts'
import { oldEdits } from './old-edits.ts'
import type { LockOptions, Planned, PushOptions } from './planned.ts'
import { bulkValues, timeOf } from './row-values.ts'

/** What an import needs of a push's options. */
export type BulkOptions = LockOptions & Pick<PushOptions, 'client' | 'receivedAt' | 'recordings'>

type Row = readonly unknown[]

/** What a transport is told of the write. */
export interface TransportOptions {
  readonly scope: string
  readonly n: number
  /** The server's time, of tables into which it is written. */
  readonly time: readonly string[]
}

/**
 * How the rows of one table get to the database: the statements that write them, and the one that
 * counts. The rows come in parts, of which the database takes one after the other, nearly always in
 * one.
 */
export type RowTransport = (
  sql: Sql,
  table: Table,
  options: TransportOptions,
  parts: readonly (readonly Row[])[],
) => TransportedRows

export interface TransportedRows {
  /** Before the scope is locked, so that phones do not wait for it. */
  readonly before: readonly Planned[]
  /** The statements of each part. */
  readonly writes: readonly (readonly Planned[])[]
  readonly tally: readonly Planned[]
}

/**
 * The statements of one scope's part of an import, for one batch: lock the scope, write each table,
 * count. Puts and deletes, each of a row of its own.
 */
export function planBulk(
  sql: Sql,
  scope: string,
  parts: readonly (readonly Change[])[],
  options: BulkOptions,
  transport: RowTransport,
): Planned[] {
  const changes = parts.flat()
  const n = changes.length
  const partsByTable = new Map<Table, Row[][]>()
  const deletes = new Set<Table>()
  let ordinal = 0
  for (const [place, part] of parts.entries()) {
    for (const change of part) {
      const { table, op } = change
      const rows = partsByTable.get(table) ?? parts.map(() => [])
      rows[place]?.push(rowOf(change, ++ordinal, options.client))
      if (op === 'delete') deletes.add(table)
      partsByTable.set(table, rows)
    }
  }
  const ofTable = (table: Table) => sql.tables.find((one) => one.table === table)
  const transported = [...partsByTable].map(([table, rows]) => {
    const time = ofTable(table)?.takesTime ? [timeOf(options.receivedAt)] : []
    return transport(sql, table, { scope, n, time }, rows)
  })
  const old = oldEdits(changes, options.receivedAt).map(({ at }) => at)
  const oldest = old.length > 0 ? old.reduce((least, at) => Math.min(least, at)) : undefined
  const guard = (text: string, params: Planned['params']): Planned => ({ sql: text, params, role: { kind: 'guard' } })
  const plan: Planned[] = [
    ...transported.flatMap(({ before }) => before),
    planLock(sql, scope, options, n, rowBytesMax(changes), Number.MAX_SAFE_INTEGER),
    ...(oldest === undefined ? [] : [{ ...guard(sql.scope.expired, [scope, oldest]), reads: true as const }]),
    ...parts.flatMap((_, place) => transported.flatMap(({ writes }) => writes[place] ?? [])),
    ...[...deletes].flatMap((table) => ofTable(table)?.adds ?? []).map(({ forget }) => guard(forget, [scope, n])),
    ...transported.flatMap(({ tally }) => tally),
  ]
  for (const record of options.recordings ?? [])
    plan.push({ ...record, params: [scope, n, ...record.params], role: { kind: 'guard' } })
  return plan
}

/** The values of `bulkFields`. */
const rowOf = (change: Change, ordinal: number, client: string): Row => [
  change.id,
  ordinal,
  change.at,
  change.by ?? client,
  change.op === 'delete' || null,
  ...bulkValues(change),
]

/**
 * Asks which changes are settled, without the lock: a stored stamp never falls, so what has lost
 * against it has lost for good. An import that is sent again is nothing else, and costs a fraction
 * so.
 */
export function planSettled(
  { dialect, tables, paramBytesMax }: Sql,
  scope: string,
  changes: readonly Change[],
  client: string,
): Planned[] {
  return tables.flatMap(({ table, bulk }) => {
    const ofTable = changes.filter((change) => change.table === table)
    if (ofTable.length === 0) return []
    const encode = bulk.looksAtRows
      ? (part: readonly Change[]) =>
          dialect.encodeRows(
            bulk.fields,
            part.map((change) => rowOf(change, 0, client)),
          )
      : (part: readonly Change[]) => dialect.encodeStamps(part, client)
    return encodeParts(ofTable, encode, paramBytesMax).map(
      (part): Planned => ({
        sql: bulk.settled,
        params: [scope, ...part],
        reads: true,
        role: { kind: 'settled', table },
      }),
    )
  })
}

/** Which changes are settled already, as a tally, and which are not. */
export interface Settled {
  readonly tally: Tally
  readonly unsettled: readonly Change[]
}

export function readSettled(
  changes: readonly Change[],
  plan: readonly Planned[],
  results: readonly (readonly Cells[])[],
): Settled {
  const tally: Tally = { applied: 0, duplicate: 0, stale: 0 }
  // A scope whose database does not exist yet answers nothing.
  if (results.some((rows) => rows.length === 0)) return { tally, unsettled: changes }
  const news = new Map<Table, Set<string>>()
  for (const [place, { role }] of plan.entries()) {
    const [equal, greater, ids] = results[place]?.[0] ?? []
    tally.duplicate += Number(equal)
    tally.stale += Number(greater)
    if (role.kind !== 'settled' || typeof ids !== 'string') continue
    const set = news.get(role.table) ?? new Set()
    for (const id of ids.split('\n')) set.add(id)
    news.set(role.table, set)
  }
  return { tally, unsettled: changes.filter(({ table, id }) => news.get(table)?.has(id)) }
}

/** Rows as parameters, which every store takes. */
export const transportInParams: RowTransport = ({ dialect, tables, paramBytesMax }, table, options, parts) => {
  const { scope, n, time } = options
  const bulk = tables.find((one) => one.table === table)?.bulk
  if (!bulk) throw new TypeError(`The table ${table.name} is not of this schema`)
  const count = parts.reduce((sum, rows) => sum + rows.length, 0)
  const encoded = parts.map((rows) =>
    rows.length === 0 ? [] : encodeParts(rows, (part) => dialect.encodeRows(bulk.fields, part), paramBytesMax),
  )
  const writes = encoded.map((texts) =>
    texts.map((text): Planned => ({ sql: bulk.upsert, params: [scope, n, ...time, ...text], role: { kind: 'guard' } })),
  )
  const tally = encoded.flat().map(
    (text): Planned => ({
      sql: bulk.tally,
      params: [scope, n, count, ...bulk.tallied(text)],
      reads: true,
      role: tallyOf(table, count),
    }),
  )
  return { before: [], writes, tally }
}

export const tallyOf = (table: Table, count: number): Planned['role'] => ({ kind: 'tally', table, count })

/**
 * What became of the changes. A stamp that is there now, and was not written now, was there before.
 * What is neither is stale: it lost against a greater stamp, or a trigger kept it from being
 * written.
 */
export function readTally(plan: readonly Planned[], results: readonly (readonly Cells[])[]): Tally {
  const tables = new Map<Table, { count: number; written: number; equal: number }>()
  for (const [place, { role }] of plan.entries()) {
    if (role.kind !== 'tally') continue
    const [written, found] = results[place]?.[0] ?? []
    const before = tables.get(role.table)?.equal ?? 0
    const equal = found === null ? role.count : before + Number(found)
    tables.set(role.table, { count: role.count, written: Number(written), equal })
  }
  const tally: Tally = { applied: 0, duplicate: 0, stale: 0 }
  for (const { count, written, equal } of tables.values()) {
    tally.applied += written
    tally.duplicate += equal - written
    tally.stale += count - equal
  }
  return tally
}

/** How many tombstones an import stored of ids that had no row. */
export function countUnseenInBulk(plan: readonly Planned[], results: readonly (readonly Cells[])[]): number {
  const counts = new Map<Table, number>()
  for (const [place, { role }] of plan.entries())
    if (role.kind === 'tally') counts.set(role.table, Number(results[place]?.[0]?.[2]))
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}
