import { limits } from '../../model/limits.ts'
import { markerIn } from '../../sql/markers.ts'
import {
  type ForeignKeys,
  isCheck,
  type RehearseBatch,
  type Trial,
  type TrialFailure,
  type TrialPlan,
} from '../../sql/rehearse-sql.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { Statement } from '../../sql/statement.ts'
import type { TableSql } from '../../sql/table-sql.ts'
import { notTried, type Rehearsal, type Rehearsed, type Store, StoreFault } from '../../stores/store.ts'
import type { Allowance } from './allowance.ts'

/**
 * What a rehearsal found: why each group was undone, and why what passed could not be committed.
 */
export interface TrialResult {
  readonly faults: readonly (StoreFault | undefined)[]
  readonly commit: StoreFault | undefined
}

export type Rehearse = (scope: string, plan: TrialPlan) => Promise<TrialResult>

export interface RehearseOptions {
  readonly sql: Sql
  readonly batch: Store['batch']
  /** The store's own, where it has one. */
  readonly rehearse: Store['rehearse']
  /** Of the whole request. */
  readonly allowance: Allowance
}

/**
 * Tries groups of statements in the way that the store offers: as one batch that undoes itself,
 * under savepoints, or, where it has batches only, by a batch for each group, of which a request
 * may have so many.
 */
export function createRehearse({ sql, batch, rehearse, allowance }: RehearseOptions): Rehearse {
  const { rehearseBatch, rehearsedKeys } = sql.dialect
  if (rehearseBatch) return (scope, plan) => rehearseInBatch(batch, rehearseBatch, scope, plan)
  const inStore = rehearse ?? rehearseByBatches(sql, batch, allowance)
  return async (scope, plan) => {
    const [rows = [], names = []] = rehearsedKeys ? await batch(scope, rehearsedKeys.statements) : []
    const keys = rehearsedKeys?.keysOf(rows, sql.schema.tables)
    const nameOf = new Map(names.map(([columns, name]) => [String(columns), String(name)]))
    const { faults, closing } = await inStore(scope, toRehearsal(sql, scope, plan, keys))
    const isUnmet = closing.some((found) => found.length > 0)
    const commit = isUnmet ? new StoreFault('refused', { message: 'a foreign key is not met' }) : undefined
    const named = (fault: StoreFault | undefined) => {
      const constraint = fault?.constraint && nameOf.get(fault.constraint)
      return constraint ? new StoreFault(fault.kind, { ...fault, message: fault.message, constraint }) : fault
    }
    return { faults: faults.map(named), commit }
  }
}

async function rehearseInBatch(
  batch: Store['batch'],
  { compile, read }: RehearseBatch,
  scope: string,
  plan: TrialPlan,
): Promise<TrialResult> {
  const results = await batch(scope, compile(plan))
  const { groups, commit } = read(results.at(-1)?.[0])
  const faultOf = (failure: TrialFailure | undefined) => failure && new StoreFault(failure.kind, failure)
  return { faults: plan.groups.map((_, place) => faultOf(groups.get(place))), commit: faultOf(commit) }
}

function toRehearsal(sql: Sql, scope: string, plan: TrialPlan, keys: ForeignKeys | undefined): Rehearsal {
  const { groups, lock, immediate } = plan
  const tables = plan.tables.map((table) => sql.tables.find((one) => one.table === table))
  const toStatement = ({ kind, table, params }: Trial): Statement => {
    const { trial } = tables[table] as TableSql
    return { sql: trial(kind), params, ...(isCheck(kind) && { reads: true as const }) }
  }
  const adopts = plan.tables.some(({ adopted }) => adopted) ? sql.settle : undefined
  const guardsOf = (place: number): Statement[] =>
    (plan.ids[place] ?? []).flatMap(({ table, ids }) =>
      (keys?.guards(table, sql.raise) ?? []).map((text) => ({
        sql: text,
        params: [scope, sql.dialect.encodeIds(ids)],
        reads: true as const,
      })),
    )
  return {
    opening: [
      { sql: sql.scope.trialLock, params: lock, takes: Number(lock[2]) },
      ...(adopts ? [{ sql: adopts.begin, params: [scope, Number(lock[2]), ''] }] : []),
    ],
    groups: groups.map((group, place) => [...group.map(toStatement), ...(immediate ? guardsOf(place) : [])]),
    closing: (keys?.unmet ?? []).map((text) => ({ sql: text, params: [scope, Number(lock[2])], reads: true as const })),
  }
}

/** Each group by a batch of its own that undoes itself, behind those that passed. */
function rehearseByBatches(sql: Sql, batch: Store['batch'], allowance: Allowance): NonNullable<Store['rehearse']> {
  let batches = 0
  return async (scope, { opening, groups, closing }): Promise<Rehearsed> => {
    // Each try finds out something.
    let first = true
    const isLeft = () => {
      const isOne = first
      first = false
      return ++batches <= limits.refusalBatchesMax && (isOne || allowance.isLeft())
    }
    const probe = { sql: sql.scope.probe, params: [scope], reads: true } as const
    const attempt = async (statements: readonly Statement[]): Promise<StoreFault | undefined> => {
      const fault = await batch(scope, [...opening, ...statements, probe]).then(
        () => new TypeError('A rehearsal must never be kept'),
        (error: unknown) => error,
      )
      if (!(fault instanceof StoreFault) || fault.kind === 'transient' || fault.kind === 'conflict') throw fault
      return markerIn(fault.message, sql.nonce) === 'driftline_probe' ? undefined : fault
    }
    const kept: Statement[] = []
    const faults: (StoreFault | undefined)[] = []
    for (const group of groups) {
      const fault = isLeft() ? await attempt([...kept, ...group]) : notTried()
      faults.push(fault)
      if (!fault) kept.push(...group)
    }
    // A batch that undoes itself gives no rows, so what a commit would find fails it.
    const unmet = closing.map(({ sql: text, params }) => ({
      sql: `SELECT ${sql.raise('driftline_unmet', '1')} WHERE EXISTS (${text})`,
      params,
      reads: true as const,
    }))
    const isUnmet =
      unmet.length > 0 && kept.length > 0 && isLeft() && (await attempt([...kept, ...unmet])) !== undefined
    return { faults, closing: closing.map(() => (isUnmet ? [[1]] : [])) }
  }
}
