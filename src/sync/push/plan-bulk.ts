import type { Change } from '../../model/change.ts'
import type { Table } from '../../model/table.ts'
import type { Tally } from '../../model/verdict.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { Cells } from '../../sql/statement.ts'
import { rowBytesMax } from './answer-size.ts'
import { compileLock } from './lock.ts'
import type { LockWish, Planned, PushWish } from './planned.ts'

/** What an import needs of a push's wish. */
export type BulkWish = LockWish & Pick<PushWish, 'client' | 'recordings'>

type Row = readonly unknown[]

/**
 * How the rows of one table get to the database: the statements that write them, and the one that
 * counts. The rows come in parts, of which the database takes one after the other, nearly always in
 * one.
 */
export type Carry = (sql: Sql, table: Table, scope: string, n: number, parts: readonly (readonly Row[])[]) => Carried

export interface Carried {
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
export function compileBulk(
  sql: Sql,
  scope: string,
  parts: readonly (readonly Change[])[],
  wish: BulkWish,
  carry: Carry,
): Planned[] {
  const changes = parts.flat()
  const n = changes.length
  const partsByTable = new Map<Table, Row[][]>()
  let ordinal = 0
  for (const [place, part] of parts.entries()) {
    for (const { table, id, at, by, op, values } of part) {
      const rows = partsByTable.get(table) ?? parts.map(() => [])
      rows[place]?.push([id, ++ordinal, at, by ?? wish.client, op === 'delete' || null, ...values])
      partsByTable.set(table, rows)
    }
  }
  const carried = [...partsByTable].map(([table, rows]) => carry(sql, table, scope, n, rows))
  const plan: Planned[] = [
    ...carried.flatMap(({ before }) => before),
    compileLock(sql, scope, wish, n, rowBytesMax(changes), Number.MAX_SAFE_INTEGER),
    ...parts.flatMap((_, place) => carried.flatMap(({ writes }) => writes[place] ?? [])),
    ...carried.flatMap(({ tally }) => tally),
  ]
  for (const record of wish.recordings ?? [])
    plan.push({ ...record, params: [scope, n, ...record.params], role: { kind: 'guard' } })
  return plan
}

/**
 * Asks which changes are settled, without the lock: a stored stamp never falls, so what has lost
 * against it has lost for good. An import that is sent again is nothing else, and costs a fraction
 * so.
 */
export function compilePeek(
  { dialect, tables, paramBytesMax }: Sql,
  scope: string,
  changes: readonly Change[],
  client: string,
): Planned[] {
  return tables.flatMap(({ table, bulk }) => {
    const ofTable = changes.filter((change) => change.table === table)
    if (ofTable.length === 0) return []
    return encodeParts(ofTable, (part) => dialect.encodeStamps(part, client), paramBytesMax).map(
      (part): Planned => ({ sql: bulk.peek, params: [scope, ...part], role: { kind: 'peek', table } }),
    )
  })
}

/** The changes that are not settled; the others are added to the tally. */
export function readPeek(
  changes: readonly Change[],
  plan: readonly Planned[],
  results: readonly (readonly Cells[])[],
  tally: Tally,
): readonly Change[] {
  // A scope whose database does not exist yet answers nothing.
  if (results.some((rows) => rows.length === 0)) return changes
  const news = new Map<Table, Set<string>>()
  for (const [place, { role }] of plan.entries()) {
    const [equal, greater, ids] = results[place]?.[0] ?? []
    tally.duplicate += Number(equal)
    tally.stale += Number(greater)
    if (role.kind !== 'peek' || typeof ids !== 'string') continue
    const set = news.get(role.table) ?? new Set()
    for (const id of ids.split('\n')) set.add(id)
    news.set(role.table, set)
  }
  return changes.filter(({ table, id }) => news.get(table)?.has(id))
}

/** Rows as parameters, which every store takes. */
export const carryInParams: Carry = ({ dialect, tables, paramBytesMax }, table, scope, n, parts) => {
  const bulk = tables.find((one) => one.table === table)?.bulk
  if (!bulk) throw new TypeError(`The table ${table.name} is not of this schema`)
  const count = parts.reduce((sum, rows) => sum + rows.length, 0)
  const encoded = parts.map((rows) =>
    rows.length === 0 ? [] : encodeParts(rows, (part) => dialect.encodeRows(bulk.fields, part), paramBytesMax),
  )
  const writes = encoded.map((texts) =>
    texts.map((text): Planned => ({ sql: bulk.upsert, params: [scope, n, ...text], role: { kind: 'guard' } })),
  )
  const tally = encoded.flat().map(
    (text): Planned => ({
      sql: bulk.tally,
      params: [scope, n, count, ...bulk.tallied(text)],
      role: tallyOf(table, count),
    }),
  )
  return { before: [], writes, tally }
}

export const tallyOf = (table: Table, count: number): Planned['role'] => ({ kind: 'tally', table, count })

/**
 * Adds what became of the changes. A stamp that is there now, and was not written now, was there
 * before. Gives how many are neither: they lost against a greater stamp, or a trigger kept them
 * from being written.
 */
export function addTally(plan: readonly Planned[], results: readonly (readonly Cells[])[], tally: Tally): number {
  let stale = 0
  const tables = new Map<Table, { count: number; written: number; equal: number }>()
  for (const [place, { role }] of plan.entries()) {
    if (role.kind !== 'tally') continue
    const [written, found] = results[place]?.[0] ?? []
    const before = tables.get(role.table)?.equal ?? 0
    const equal = found === null ? role.count : before + Number(found)
    tables.set(role.table, { count: role.count, written: Number(written), equal })
  }
  for (const { count, written, equal } of tables.values()) {
    tally.applied += written
    tally.duplicate += equal - written
    stale += count - equal
  }
  tally.stale += stale
  return stale
}

/** How many tombstones an import stored of ids that had no row. */
export function countUnseenInBulk(plan: readonly Planned[], results: readonly (readonly Cells[])[]): number {
  const counts = new Map<Table, number>()
  for (const [place, { role }] of plan.entries())
    if (role.kind === 'tally') counts.set(role.table, Number(results[place]?.[0]?.[2]))
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}
