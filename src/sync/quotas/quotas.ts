import type { Change } from '../../model/change.ts'
import { Problem, type Rejection, rejection } from '../../model/errors.ts'
import type { Table } from '../../model/table.ts'
import { idCell } from '../../sql/result-line.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { Store } from '../../stores/store.ts'
import { planIds } from '../pull/plan-reads.ts'
import { type Admitted, admitAll, admitBut } from '../push/admitted.ts'
import { createBuckets } from './buckets.ts'

/**
 * What one subject of tokens may bring. Undefined: any number. Webhooks, which are signed, are not
 * counted.
 */
export interface QuotaOptions {
  /** Changes within a minute, whatever becomes of them. Beyond: 429, and an import waits. */
  readonly changesPerMinuteMax?: number | undefined
  /**
   * Deletes of ids that were never seen, within an hour: their tombstones are kept as long as any.
   * Beyond: rejected.
   */
  readonly unseenDeletesPerHourMax?: number | undefined
}

export interface Quotas {
  /**
   * Counts the changes of a request before anything is done for them. Throws the `Problem`
   * quota_exceeded.
   */
  countChanges(subject: string, count: number, mayWait: boolean): Promise<void>
  /** Begins to count the deletes of a request. */
  countDeletes(subject: string, request: DeletesOfRequest): UnseenDeletes
}

export interface DeletesOfRequest {
  readonly sql: Sql
  readonly batch: Store['batch']
  readonly atomic: boolean
}

export interface UnseenDeletes {
  /** The changes of a scope that may be written. */
  admit(scope: string, changes: readonly Change[]): Promise<Admitted>
  /** Told of the tombstones that were stored of ids which had no row. */
  stored(count: number): void
  /** What was not stored is given back. */
  end(): void
}

const minuteMs = 60_000
const hourMs = 3_600_000

export function createQuotas(
  { changesPerMinuteMax, unseenDeletesPerHourMax }: QuotaOptions,
  now: () => number = Date.now,
): Quotas {
  const ofChanges = changesPerMinuteMax === undefined ? undefined : createBuckets(changesPerMinuteMax, minuteMs, now)
  const ofDeletes =
    unseenDeletesPerHourMax === undefined ? undefined : createBuckets(unseenDeletesPerHourMax, hourMs, now)

  return {
    async countChanges(subject, count, mayWait) {
      if (!ofChanges || count === 0) return
      let waitMs = ofChanges.take(subject, count)
      // An import is one request of any length, which goes as fast as it may. Others of the subject
      // may come before it.
      for (let waitedMs = 0; waitMs > 0 && mayWait && waitedMs < 2 * minuteMs; waitedMs += waitMs) {
        await new Promise((resolve) => setTimeout(resolve, waitMs))
        waitMs = ofChanges.take(subject, count)
      }
      if (waitMs > 0)
        throw exceeded(`Nothing was applied. A subject may send ${changesPerMinuteMax} changes a minute.`, waitMs)
    },

    countDeletes(subject, { sql, batch, atomic }) {
      let taken = 0
      let kept = 0
      return {
        async admit(scope, changes) {
          const deletes = changes.filter(({ op }) => op === 'delete')
          if (!ofDeletes || deletes.length === 0) return admitAll(changes)
          // Of nearly all change sets there is no need to know which of their ids are there.
          const early = ofDeletes.takeSome(subject, deletes.length)
          if (early === deletes.length) {
            taken += early
            return admitAll(changes)
          }
          ofDeletes.giveBack(subject, early)
          const isStored = await findStored(sql, batch, scope, deletes)
          const unseen = deletes.filter((change) => !isStored(change))
          const room = ofDeletes.takeSome(subject, unseen.length)
          taken += room
          const beyond = unseen.slice(room)
          const error = unseenBeyond(unseenDeletesPerHourMax ?? 0)
          if (atomic && beyond.length > 0)
            throw exceeded(`Nothing was applied. ${error.detail}`, hourMs / (unseenDeletesPerHourMax ?? 1))
          return admitBut(changes, new Map(beyond.map(({ index }) => [index, error])))
        },
        stored(count) {
          kept += count
        },
        end() {
          if (taken > kept) ofDeletes?.giveBack(subject, taken - kept)
          taken = kept = 0
        },
      }
    },
  }
}

/** One round trip, for those only who have used up what they may delete. */
async function findStored(
  sql: Sql,
  batch: Store['batch'],
  scope: string,
  changes: readonly Change[],
): Promise<(change: Change) => boolean> {
  const plan = planIds(sql, scope, changes)
  const results = await batch(scope, plan)
  const ids = new Map<Table, Set<string>>()
  for (const [place, { role }] of plan.entries()) {
    if (role.kind !== 'states') continue
    const set = ids.get(role.table) ?? new Set()
    for (const row of results[place] ?? []) set.add(String(sql.dialect.splitLine(row)[idCell]))
    ids.set(role.table, set)
  }
  return ({ table, id }) => ids.get(table)?.has(id) ?? false
}

function unseenBeyond(most: number): Rejection {
  return rejection(
    'quota_exceeded',
    `A subject may delete ${most} ids an hour that were never seen. Send this one again later.`,
    true,
  )
}

function exceeded(detail: string, waitMs: number): Problem {
  return new Problem('quota_exceeded', detail, { headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) } })
}
