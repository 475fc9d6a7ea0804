import { limits } from '../model/limits.ts'
import type { Schema } from '../model/table.ts'
import { type PruneSql, pruneSql } from '../sql/prune-sql.ts'
import { readReferences, referencesOf } from '../sql/references.ts'
import type { Cells } from '../sql/statement.ts'
import type { Store } from '../stores/store.ts'
import { pruneDeliveries } from '../webhooks/out/keep.ts'
import { type Due, type Pruned, pruneScopes } from './scopes.ts'

export interface PruneOptions {
  /** How long a tombstone is kept after it was stored, in milliseconds. Zero: all go at once. */
  readonly retentionMs: number
  /**
   * Milliseconds since 1970, by the clock of whoever prunes, which may step. No stamp of a client
   * counts.
   */
  readonly now?: () => number
  /** Tombstones that one transaction may remove. */
  readonly batchMax?: number
  /** Ends early, between two transactions, once it is aborted. */
  readonly signal?: AbortSignal
}

/**
 * So many marks are kept within a retention: a tombstone stays up to a thirtieth longer than it
 * must.
 */
const marksMax = 30
/** Scopes that are looked at together. */
const scopesMax = 500
/**
 * Removes the tombstones that were stored longer ago than the retention, in small transactions,
 * each of which raises each of its scopes' watermarks to the last that it removes there: a cursor
 * below it may have missed one, and is answered with 410 (P9). A write pays nothing for it: how old
 * a tombstone is follows from marks of time and position, made here. Several may prune at the same
 * time; to prune again after a crash goes on where it stopped. A tombstone that a row refers to by
 * a foreign key stays for good. Deliveries that nobody took for a month go too.
 */
export async function prune(store: Store, schema: Schema, options: PruneOptions): Promise<Pruned> {
  const { retentionMs, now = earlier, batchMax = 1_000, signal } = options
  const [keys = []] = await store.batch('', [readReferences(store.dialect, schema.tables)])
  const sql = pruneSql(store.dialect, schema, referencesOf(keys))
  const pruned = { scopes: 0, tombstones: 0 }
  for (let last: string | undefined = ''; last !== undefined && !signal?.aborted; ) {
    const [before, at] = [now() * 1000, (options.now ?? later)() * 1000]
    const [rows = []] = await store.batch('', [
      { sql: sql.scopes, params: [last, Math.max(before - retentionMs * 1000, 0), scopesMax], reads: true },
    ])
    const scopes = rows.map((row) => readDue(row, at, retentionMs))
    const marks = scopes.filter(({ needsMark }) => needsMark)
    if (marks.length > 0) {
      const values = marks.map(({ scope, position }) => [scope, position, at])
      await store.batch('', [{ sql: sql.mark, params: store.dialect.encodeRows(sql.markFields, values) }])
    }
    const due = scopes.filter(({ from, to }) => to > from)
    const removed = await pruneScopes(store, sql, due, batchMax, signal)
    pruned.scopes += removed.scopes
    pruned.tombstones += removed.tombstones
    last = rows.length < scopesMax ? undefined : scopes.at(-1)?.scope
  }
  await pruneInbox(store, sql, (now() - limits.inboxMs) * 1000, signal)
  // What a phone sends again after a retention is told apart no more.
  const keptMs = Math.max(retentionMs, limits.addsMs)
  await pruneAdds(store, sql, { before: (now() - keptMs) * 1000, batchMax, signal })
  if (!signal?.aborted) await pruneDeliveries(store, now())
  return pruned
}

/**
 * The wall's clock, and one that goes steadily since the process began. What was stored is marked
 * with the later and held against the earlier one: where the clock steps meanwhile, nothing young
 * goes, and what is old goes later.
 */
const steady = () => performance.timeOrigin + performance.now()
const earlier = () => Math.floor(Math.min(Date.now(), steady()))
const later = () => Math.floor(Math.max(Date.now(), steady()))

/** Forgets webhooks that no sender sends again: each statement that writes names its scope. */
async function pruneInbox(store: Store, sql: PruneSql, before: number, signal: AbortSignal | undefined): Promise<void> {
  while (!signal?.aborted) {
    const [rows = []] = await store.batch('', [{ sql: sql.received, params: [before, scopesMax], reads: true }])
    // Nobody else wants these rows, so that one transaction for all keeps nobody waiting.
    const scopes = new Set(rows.map(([one]) => String(one)))
    const forget = [...scopes].map((scope) => ({ sql: sql.forget, params: [scope, before] }))
    if (forget.length > 0) await store.batch('', forget)
    if (rows.length < scopesMax) return
  }
}

/** Forgets which adds were counted, and remembers up to when. */
async function pruneAdds(
  store: Store,
  { adding, forgetAdds }: PruneSql,
  { before, batchMax, signal }: { before: number; batchMax: number; signal: AbortSignal | undefined },
): Promise<void> {
  while (adding !== undefined && !signal?.aborted) {
    const [rows = []] = await store.batch('', [{ sql: adding, params: [before, scopesMax], reads: true }])
    if (rows.length === 0) return
    for (const [scope] of rows) {
      if (signal?.aborted) return
      const params = [String(scope), before, batchMax]
      await store.batch(
        '',
        forgetAdds.map((sql, place) => ({ sql, params: place === 0 ? params : params.slice(0, 1) })),
      )
    }
  }
}

function readDue(row: Cells, at: number, retentionMs: number): Due {
  const [scope, ...numbers] = row
  const [position = 0, watermark = 0, due = 0, done = 0, marked = 0, markedAt = 0] = numbers.map(Number)
  const spacing = (retentionMs * 1000) / marksMax
  return {
    scope: String(scope),
    position,
    from: Math.max(watermark, done),
    to: retentionMs === 0 ? position : due,
    needsMark: retentionMs > 0 && position > marked && at - markedAt >= spacing,
  }
}
