import type { Dialect, Field, Statement } from '../dialects/dialect.ts'
import { type ScopeSql, scopeSql, stepFields, type TableSql, tableSql } from '../dialects/sql.ts'
import { limits } from '../limits.ts'
import type { StoreLimits } from '../stores/store.ts'
import type { Change } from './change.ts'
import { compileClaim } from './claim.ts'
import type { RowWrite } from './coalesce.ts'
import { type CursorEntry, cursorFloor } from './cursor.ts'
import { checkFit, encodeParts } from './fit.ts'
import type { InboxEntry } from './inbox.ts'
import type { Return } from './request.ts'
import type { Schema, Table } from './table.ts'
import { compileWeight, rowBytesMax } from './weight.ts'

/** All SQL of a schema in one dialect. */
export interface Sql {
  readonly schema: Schema
  readonly dialect: Dialect
  readonly tables: readonly TableSql[]
  readonly scope: ScopeSql
  readonly paramBytesMax: number | undefined
}

/** Throws a `TypeError` where a schema is too large for a store. */
export function compileSchema(schema: Schema, dialect: Dialect, storeLimits?: StoreLimits): Sql {
  const sql: Sql = {
    schema,
    dialect,
    tables: schema.tables.map((table) => tableSql(dialect, table)),
    scope: scopeSql(dialect, schema, limits.pageBytesMax),
    paramBytesMax: storeLimits?.paramBytesMax,
  }
  if (storeLimits) checkFit(sql, storeLimits)
  return sql
}

/** What the rows of a statement are to `reconcile`. */
export type Role =
  | { readonly kind: 'head' | 'page' | 'guard' | 'claim' }
  | { readonly kind: 'states' | 'results'; readonly table: Table; readonly pass: number }
  | { readonly kind: 'peek'; readonly table: Table }
  | { readonly kind: 'tally'; readonly table: Table; readonly count: number }

export type Planned = Statement & { readonly role: Role }

/** What a page of one scope begins from. `undefined`: the scope bootstraps. */
export interface PageWish {
  readonly entry: CursorEntry | undefined
  readonly limit: number
  /** The scope is known to hold large rows. */
  readonly sized?: boolean
}

/** A statement that writes down whom to tell of the push. Its parameters come after the scope and n. */
export type Recording = Statement

/**
 * No answer may fill the memory. That so many of the largest row ever written to the scope fit costs nothing to know, and
 * is true of nearly all pushes; where it is not, the batch is sent again and weighs the rows that it is about.
 */
export interface AnswerBound {
  readonly bytesMax: number
  readonly weigh: boolean
}

export interface PushWish {
  readonly client: string
  readonly return: Return
  readonly atomic: boolean
  /** Drawn at random; becomes the scope's incarnation if this write is its first. */
  readonly incarnation: string
  /** The scope's part of the request's cursor, which gates the write. */
  readonly entry: CursorEntry | undefined
  /** The server's time in microseconds, the stamp of changes that have none. */
  readonly receivedAt: number
  /** The write is a webhook's, whose source is the client. */
  readonly inbox?: InboxEntry | undefined
  /** How large the rows may be that the verdicts repeat: beyond it the batch undoes itself. */
  readonly answer: AnswerBound
  /** Undo everything at the end: the batch only finds out whether the database would take it. */
  readonly probe: boolean
  readonly recordings?: readonly Recording[]
}

/**
 * The statements of one scope's part of a change set, for one batch: lock the scope, check the cursor, write the tables
 * pass by pass, record whom to tell, read the page. Costs two or three statements and one for each table touched on SQLite, two on Postgres,
 * one for each endpoint of outgoing webhooks that matches, and more only where a store takes no parameter that large.
 */
export function compilePush(
  sql: Sql,
  scope: string,
  passes: readonly (readonly RowWrite[])[],
  wish: PushWish,
  page?: PageWish,
): Planned[] {
  const n = passes.reduce((most, rows) => rows.reduce((top, row) => Math.max(top, row.ordinal), most), 0)
  const { bytesMax, weigh } = wish.answer
  const changes = passes.flat().flatMap((row) => row.changes)
  // One change is always answered: whoever sends fewer and fewer gets through. What is known of the largest row is up to
  // three times its size.
  const fits = weigh || changes.length === 1 ? Number.MAX_SAFE_INTEGER : Math.floor((2 * bytesMax) / changes.length)
  const plan: Planned[] = [
    { sql: sql.scope.lock, params: [scope, wish.incarnation, n, rowBytesMax(changes), fits], role: { kind: 'head' } },
  ]
  if (wish.entry) {
    const { incarnation } = wish.entry
    plan.push({
      sql: sql.scope.gate,
      params: [scope, incarnation, cursorFloor(wish.entry), n],
      role: { kind: 'guard' },
    })
  }
  if (weigh && changes.length > 1) plan.push(compileWeight(sql, scope, passes, bytesMax))
  if (wish.inbox) plan.push(...compileClaim(sql, scope, passes, wish, wish.inbox))
  for (const [pass, rows] of passes.entries()) {
    for (const table of sql.tables) {
      const written = rows.filter((row) => row.table === table.table)
      if (written.length > 0) plan.push(...compileTable(sql, table, scope, n, pass, written, wish))
    }
  }
  for (const { sql: record, params } of wish.recordings ?? []) {
    plan.push({ sql: record, params: [scope, n, ...params], role: { kind: 'guard' } })
  }
  if (wish.probe) plan.push({ sql: sql.scope.probe, params: [scope], role: { kind: 'guard' } })
  else if (page) plan.push(compilePage(sql, scope, page, n))
  return plan
}

function compileTable(
  { dialect, paramBytesMax }: Sql,
  sql: TableSql,
  scope: string,
  n: number,
  pass: number,
  rows: readonly RowWrite[],
  wish: PushWish,
): Planned[] {
  const plan: Planned[] = []
  const role = (kind: 'states' | 'results'): Role => ({ kind, table: sql.table, pass })
  const idsOf = (of: readonly RowWrite[]) =>
    encodeParts(of, (part) => [dialect.encodeIds(part.map(({ id }) => id))], paramBytesMax)
  const rowsOf = (fields: readonly Field[], values: readonly (readonly unknown[])[]) =>
    encodeParts(values, (part) => dialect.encodeRows(fields, part), paramBytesMax)
  const folded = rows.filter(({ alone }) => !alone)
  // Ids in one order everywhere: without it, writers beside driftline could deadlock with this statement.
  const based = rows.filter(({ base }) => base).sort((a, b) => (a.id < b.id ? -1 : 1))
  const patched = rows.filter(({ patch }) => patch).sort((a, b) => (a.id < b.id ? -1 : 1))
  if (folded.length > 0 && !wish.inbox) {
    for (const ids of idsOf(folded)) plan.push({ sql: sql.states, params: [scope, ...ids], role: role('states') })
  }
  if (wish.atomic) {
    const steps = rows.flatMap(patchSteps)
    if (steps.length > 0) {
      for (const part of rowsOf(stepFields, steps)) {
        plan.push({ sql: sql.missing, params: [scope, wish.client, ...part], role: { kind: 'guard' } })
      }
    }
  }
  // A change without a stamp takes the server's time, or what is later than the stored stamp.
  const stampOf = ({ newest }: RowWrite, at: number | undefined) => (newest ? wish.receivedAt : at)
  for (const [newest, some] of byNewest(based)) {
    const values = some.map((row) => [
      row.id,
      row.ordinal,
      stampOf(row, row.base?.at),
      row.base?.op === 'delete' || null,
      ...(row.base?.values ?? []),
    ])
    const isHeld = wish.return === 'lost' && folded.length === 0 && !some.some(({ base }) => base?.respelled)
    const brief = wish.inbox || isHeld
    const upsert = newest ? sql.upsertNewest : brief ? sql.upsertBrief : sql.upsert
    for (const part of rowsOf(sql.rowFields, values)) {
      plan.push({ sql: upsert, params: [scope, wish.client, n, ...part], role: role('results') })
    }
  }
  for (const [newest, some] of byNewest(patched)) {
    const values = some.map((row) => [
      row.id,
      row.ordinal,
      stampOf(row, row.patch?.at),
      ...row.table.columns.flatMap((_, place) => {
        const set = row.patch?.columns.get(place)
        return set ? [set.value, set.at] : [null, null]
      }),
    ])
    for (const part of rowsOf(sql.patchFields, values)) {
      plan.push({
        sql: newest ? sql.updateNewest : sql.update,
        params: [scope, wish.client, n, ...part],
        role: role('results'),
      })
    }
  }
  // What became of a webhook's changes is known by its claim, but for whether a stamp came with other content.
  const read = wish.inbox ? rows.filter(({ newest }) => !newest) : rows
  const unseen = dialect.returnsLosers ? read.filter(({ base, patch }) => patch && !base) : read
  if (unseen.length > 0) {
    for (const ids of idsOf(unseen)) plan.push({ sql: sql.losers, params: [scope, ...ids, n], role: role('results') })
  }
  return plan
}

/** Rows with stamps, and rows without. */
function byNewest(rows: readonly RowWrite[]): (readonly [newest: boolean, rows: readonly RowWrite[]])[] {
  const parts = [false, true].map((newest) => [newest, rows.filter((row) => row.newest === newest)] as const)
  return parts.filter(([, some]) => some.length > 0)
}

/** The patches of a row that could find no row, each with the put or delete before it in the change set. */
function patchSteps({ id, ordinal, changes }: RowWrite): unknown[][] {
  const steps: unknown[][] = []
  let before: Change | undefined
  for (const [place, change] of changes.entries()) {
    // The second of two equal stamps never applies: it is the duplicate of the first.
    if (changes[place - 1]?.at === change.at) continue
    if (change.op === 'patch') steps.push([id, ordinal, change.at, before?.at, before && before.op === 'delete'])
    else before = change
  }
  return steps
}

/** One statement: a page of one scope, which for a bootstrap has no tombstone at all, without the last `n` positions, which the same transaction took. */
export function compilePage(sql: Sql, scope: string, { entry, limit, sized }: PageWish, n = 0): Planned {
  return {
    sql: sized ? sql.scope.sizedPage : sql.scope.page,
    params: [scope, entry?.position ?? 0, entry ? entry.start : Number.MAX_SAFE_INTEGER, n, limit],
    role: { kind: 'page' },
  }
}
