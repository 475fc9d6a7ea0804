import { cursorFloor } from '../../model/cursor.ts'
import { encodeParts } from '../../sql/parts.ts'
import { reachFields, stepFields } from '../../sql/row-fields.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import { planSettle } from '../adopted/plan-settle.ts'
import { syncEngineOf } from '../adopted/sync-engine.ts'
import { planWeight, rowBytesMax } from './answer-size.ts'
import { planClaim } from './inbox/claim.ts'
import { planLock } from './lock.ts'
import { oldEdits } from './old-edits.ts'
import { planTable } from './plan-table.ts'
import type { Planned, PushOptions } from './planned.ts'
import { patchSteps, reachOf } from './row-values.ts'
import type { RowWrite } from './row-write.ts'

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
  const adopts = sql.settle !== undefined && changes.some(({ table }) => table.adopted)
  const engine = adopts ? syncEngineOf(sql.schema) : undefined
  const plan = engine?.planHold(sql, scope, passes.flat()) ?? []
  if (sql.settle) plan.push(...planSettle(sql, scope, options.incarnation, options.recordings))
  plan.push(planLock(sql, scope, options, n, rowBytesMax(changes), fits))
  if (adopts && sql.settle)
    plan.push({ sql: sql.settle.begin, params: [scope, n, options.client], role: { kind: 'guard' } })
  if (options.entry) {
    const { incarnation } = options.entry
    plan.push({
      sql: sql.scope.gate,
      params: [scope, incarnation, cursorFloor(options.entry), n],
      reads: true,
      role: { kind: 'guard' },
    })
  }
  const [oldest] = oldEdits(changes, options.receivedAt)
    .map(({ at }) => at)
    .sort((a, b) => a - b)
  if (oldest !== undefined)
    plan.push({ sql: sql.scope.expired, params: [scope, oldest], reads: true, role: { kind: 'guard' } })
  if (weigh && changes.length > 1) plan.push(planWeight(sql, scope, passes, bytesMax))
  if (options.inbox) plan.push(...planClaim(sql, scope, passes, options, options.inbox))
  for (const [pass, rows] of passes.entries()) {
    for (const table of sql.tables) {
      if (table.adopted) continue
      const written = rows.filter((row) => row.table === table.table)
      if (written.length === 0) continue
      const later = table.keys
        ? passes.slice(pass).flatMap((some) => some.filter((row) => row.table === table.table))
        : []
      plan.push(...planTable(sql, table, { scope, n, pass, stillWritten: later.map(({ id }) => id) }, written, options))
    }
    if (engine) plan.push(...engine.planAdopted(sql, { scope, n, pass }, rows, options))
  }
  if (adopts && sql.settle?.end) plan.push({ sql: sql.settle.end, params: [scope], role: { kind: 'guard' } })
  if (options.atomic) plan.push(...planSwallowed(sql, scope, passes, options))
  for (const { settled: _, ...record } of options.recordings ?? [])
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
