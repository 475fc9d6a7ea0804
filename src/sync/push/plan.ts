import type { Change } from '../../model/change.ts'
import { cursorFloor } from '../../model/cursor.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { Field } from '../../sql/statement.ts'
import { reachFields, stepFields, type TableSql } from '../../sql/table-sql.ts'
import { planWeight, rowBytesMax } from './answer-size.ts'
import type { RowWrite } from './coalesce.ts'
import { planClaim } from './inbox/claim.ts'
import { planLock } from './lock.ts'
import type { Planned, PushOptions, Role } from './planned.ts'

/**
 * The statements of one scope's part of a change set, for one batch: lock the scope, check the
 * cursor, write the tables pass by pass, record whom to tell. Costs one or two statements and one
 * for each table touched on SQLite, two on Postgres, one for each endpoint of outgoing webhooks
 * that matches, and more only where a store takes no parameter that large.
 */
export function planPush(
  sql: Sql,
  scope: string,
  passes: readonly (readonly RowWrite[])[],
  options: PushOptions,
): Planned[] {
  const n = passes.reduce((most, rows) => rows.reduce((top, row) => Math.max(top, row.ordinal), most), 0)
  const { bytesMax, weigh } = options.answer
  const changes = passes.flat().flatMap((row) => row.changes)
  // One change is always answered: whoever sends fewer and fewer gets through. What is known of the
  // largest row is up to three times its size.
  const fits = weigh || changes.length === 1 ? Number.MAX_SAFE_INTEGER : Math.floor((2 * bytesMax) / changes.length)
  const plan = [planLock(sql, scope, options, n, rowBytesMax(changes), fits)]
  if (options.entry) {
    const { incarnation } = options.entry
    plan.push({
      sql: sql.scope.gate,
      params: [scope, incarnation, cursorFloor(options.entry), n],
      reads: true,
      role: { kind: 'guard' },
    })
  }
  if (weigh && changes.length > 1) plan.push(planWeight(sql, scope, passes, bytesMax))
  if (options.inbox) plan.push(...planClaim(sql, scope, passes, options, options.inbox))
  for (const [pass, rows] of passes.entries()) {
    for (const table of sql.tables) {
      const written = rows.filter((row) => row.table === table.table)
      if (written.length > 0) plan.push(...planTable(sql, table, scope, n, pass, written, options))
    }
  }
  if (options.atomic) plan.push(...planSwallowed(sql, scope, passes, options))
  for (const record of options.recordings ?? [])
    plan.push({ ...record, params: [scope, n, ...record.params], role: { kind: 'guard' } })
  return plan
}

/**
 * All or nothing: aborts where a trigger kept a row from being written, which no error tells of.
 */
function planSwallowed(
  { dialect, tables, paramBytesMax }: Sql,
  scope: string,
  passes: readonly (readonly RowWrite[])[],
  { client, receivedAt }: PushOptions,
): Planned[] {
  const rows = passes.flat()
  return tables.flatMap(({ table, swallowed }) => {
    const values = rows.filter((row) => row.table === table).map((row) => reachOf(row, receivedAt))
    if (values.length === 0) return []
    return encodeParts(values, (part) => dialect.encodeRows(reachFields, part), paramBytesMax).map(
      (part): Planned => ({ sql: swallowed, params: [scope, client, ...part], reads: true, role: { kind: 'guard' } }),
    )
  })
}

/**
 * The values of `reachFields`. Behind a delete no patch finds a row. `stamplessAt` is the least
 * stamp that a change without one gets.
 */
export function reachOf({ id, ordinal, base, patch, stampless }: RowWrite, stamplessAt?: number): unknown[] {
  const last = base?.op === 'delete' ? base : (patch ?? base)
  return [id, ordinal, stampless && stamplessAt !== undefined ? stamplessAt : last?.at, base !== undefined]
}

/**
 * The patches that find no row, by ordinal and stamp, each table by a statement. Nothing is
 * written.
 */
export function planMissing(sql: Sql, scope: string, rows: readonly RowWrite[], client: string): Planned[] {
  const { dialect, tables, paramBytesMax } = sql
  return tables.flatMap(({ table, missingList }) => {
    const steps = rows.filter((row) => row.table === table).flatMap(patchSteps)
    if (steps.length === 0) return []
    return encodeParts(steps, (part) => dialect.encodeRows(stepFields, part), paramBytesMax).map(
      (part): Planned => ({ sql: missingList, params: [scope, client, ...part], reads: true, role: { kind: 'guard' } }),
    )
  })
}

function planTable(
  { dialect, paramBytesMax }: Sql,
  sql: TableSql,
  scope: string,
  n: number,
  pass: number,
  rows: readonly RowWrite[],
  options: PushOptions,
): Planned[] {
  const plan: Planned[] = []
  const role = (kind: 'states' | 'results'): Role => ({ kind, table: sql.table, pass })
  const idsOf = (of: readonly RowWrite[]) =>
    encodeParts(of, (part) => [dialect.encodeIds(part.map(({ id }) => id))], paramBytesMax)
  const rowsOf = (fields: readonly Field[], values: readonly (readonly unknown[])[]) =>
    encodeParts(values, (part) => dialect.encodeRows(fields, part), paramBytesMax)
  const folded = rows.filter(({ alone }) => !alone)
  const based = inWriteOrder(rows.filter(({ base }) => base))
  const patched = inWriteOrder(rows.filter(({ patch }) => patch))
  if (folded.length > 0 && !options.inbox) {
    for (const ids of idsOf(folded))
      plan.push({ sql: sql.states, params: [scope, ...ids], reads: true, role: role('states') })
  }
  if (options.atomic) {
    const steps = rows.flatMap(patchSteps)
    if (steps.length > 0) {
      for (const part of rowsOf(stepFields, steps)) {
        plan.push({ sql: sql.missing, params: [scope, options.client, ...part], reads: true, role: { kind: 'guard' } })
      }
    }
  }
  // A change without a stamp takes the server's time, or what is later than the stored stamp.
  const stampOf = ({ stampless }: RowWrite, at: number | undefined) => (stampless ? options.receivedAt : at)
  const writePuts = () => {
    for (const [stampless, some] of byStampless(based)) {
      const values = some.map((row) => [
        row.id,
        row.ordinal,
        stampOf(row, row.base?.at),
        row.base?.op === 'delete' || null,
        ...(row.base?.values ?? []),
      ])
      const isHeld = options.return === 'lost' && folded.length === 0 && !some.some(({ base }) => base?.respelled)
      const isWonOnly = options.inbox || isHeld
      const upsert = stampless ? sql.upsertStampless : isWonOnly ? sql.upsertWonOnly : sql.upsert
      for (const part of rowsOf(sql.rowFields, values)) {
        plan.push({ sql: upsert, params: [scope, options.client, n, ...part], role: role('results') })
      }
    }
  }
  const writePatches = () => {
    for (const [stampless, some] of byStampless(patched)) {
      const values = some.map((row) => patchValues(row, stampOf(row, row.patch?.at)))
      for (const part of rowsOf(sql.patchFields, values)) {
        plan.push({
          sql: stampless ? sql.updateStampless : sql.update,
          params: [scope, options.client, n, ...part],
          role: role('results'),
        })
      }
    }
  }
  // A patch that is older than all puts may free a value that one of them takes.
  const [firstPut] = based.filter(({ base }) => base?.op === 'put')
  const [firstPatch] = patched
  if (
    firstPut &&
    firstPatch &&
    (firstPatch.patch?.at ?? 0) < (firstPut.base?.at ?? 0) &&
    !patched.some(({ base }) => base)
  ) {
    writePatches()
    writePuts()
  } else {
    writePuts()
    writePatches()
  }
  // What became of a webhook's changes is known by its claim, but for whether a stamp came with
  // other content.
  const read = options.inbox ? rows.filter(({ stampless }) => !stampless) : rows
  const unseen = dialect.returnsLosers ? read.filter(({ base, patch }) => patch && !base) : read
  if (unseen.length > 0) {
    for (const ids of idsOf(unseen))
      plan.push({ sql: sql.losers, params: [scope, ...ids, n], reads: true, role: role('results') })
  }
  return plan
}

/**
 * As a database checks constraints row by row, a unique value may move from one row to another:
 * first the deletes, then the rows in the order of their stamps. The scope's lock keeps driftline's
 * writers apart, so ids need no order.
 */
export function inWriteOrder(rows: readonly RowWrite[]): RowWrite[] {
  const rank = ({ base }: RowWrite) => (base?.op === 'delete' ? 0 : 1)
  const at = ({ base, patch }: RowWrite) => (base ?? patch)?.at ?? 0
  return rows.toSorted((a, b) => rank(a) - rank(b) || at(a) - at(b) || a.ordinal - b.ordinal)
}

/** The values of `patchFields`. */
export function patchValues({ id, ordinal, table, patch }: RowWrite, at: number | undefined): unknown[] {
  return [
    id,
    ordinal,
    at,
    ...table.columns.flatMap((_, place) => {
      const set = patch?.columns.get(place)
      return set ? [set.value, set.at] : [null, null]
    }),
  ]
}

/** Rows with stamps, and rows without. */
function byStampless(rows: readonly RowWrite[]): (readonly [stampless: boolean, rows: readonly RowWrite[]])[] {
  const parts = [false, true].map(
    (stampless) => [stampless, rows.filter((row) => row.stampless === stampless)] as const,
  )
  return parts.filter(([, some]) => some.length > 0)
}

/**
 * The patches of a row that could find no row, each with the put or delete before it in the change
 * set.
 */
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
