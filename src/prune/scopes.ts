import type { PruneSql } from '../sql/prune-sql.ts'
import type { Statement } from '../sql/statement.ts'
import type { Store } from '../stores/store.ts'

export interface Pruned {
  readonly scopes: number
  readonly tombstones: number
}

/** What one scope's marks say. A mark is a position that the scope had reached at a time. */
export interface Due {
  readonly scope: string
  /** The newest position. */
  readonly position: number
  /** Up to here every tombstone was removed. */
  readonly from: number
  /** Up to here everything was stored longer ago than the retention. */
  readonly to: number
  readonly needsMark: boolean
}

/** Scopes of one step at the most. */
const scopesMax = 100
/**
 * Positions that one step goes over, in all its scopes: one of a million rows and few tombstones
 * must not be locked for long, and what reads a file in this thread must not keep it.
 */
const positionsMax = 10_000

/** How far a scope is pruned. */
interface Walk {
  readonly scope: string
  readonly to: number
  after: number
  tombstones: number
}

/**
 * What one step does in a scope: removes `count` tombstones, the last at `highest`, and gets to
 * `next`.
 */
interface Stride {
  readonly walk: Walk
  readonly count: number
  readonly highest: number | undefined
  readonly next: number
}

/**
 * Prunes scopes in steps: a read, and one transaction for all its scopes, which removes `batchMax`
 * tombstones at the most. Many scopes with a few tombstones each cost few commits, and others write
 * in between. What a step has done it records with it, so that the next run goes on from there.
 */
export async function pruneScopes(
  store: Store,
  sql: PruneSql,
  due: readonly Due[],
  batchMax: number,
  signal: AbortSignal | undefined,
): Promise<Pruned> {
  const walks = due.map(({ scope, from, to }): Walk => ({ scope, to, after: from, tombstones: 0 }))
  for (let left = walks; left.length > 0 && !signal?.aborted; left = left.filter(({ after, to }) => after < to)) {
    const strides = await findTombstones(store, sql, firstOf(left), batchMax)
    for (const some of transactions(sql, strides)) {
      if (signal?.aborted) break
      const statements = some.flatMap((stride) => statementsOf(sql, stride))
      const [first] = some
      if (first && statements.length > 0) await store.batch(some.length > 1 ? '' : first.walk.scope, statements)
      for (const { walk, count, next } of some) {
        walk.tombstones += count
        walk.after = next
      }
    }
  }
  const touched = walks.filter(({ tombstones }) => tombstones > 0)
  return { scopes: touched.length, tombstones: touched.reduce((sum, { tombstones }) => sum + tombstones, 0) }
}

/** As many of the scopes as one step goes over, and at least one. */
function firstOf(walks: readonly Walk[]): readonly Walk[] {
  let [count, positions] = [0, 0]
  for (const { after, to } of walks) {
    positions += to - after
    if (count === scopesMax || (count > 0 && positions > positionsMax)) break
    count++
  }
  return walks.slice(0, count)
}

async function findTombstones(
  store: Store,
  sql: PruneSql,
  walks: readonly Walk[],
  batchMax: number,
): Promise<readonly Stride[]> {
  const endOf = ({ after, to }: Walk) => Math.min(to, after + positionsMax)
  const reads = walks.flatMap((walk) =>
    sql.tombstones.map((one) => ({
      sql: one,
      params: [walk.scope, walk.after, endOf(walk), batchMax],
      reads: true as const,
    })),
  )
  // A schema without tables.
  const found = reads.length === 0 ? [] : await store.batch(walks.length === 1 ? (walks[0]?.scope ?? '') : '', reads)
  const tables = sql.tombstones.length
  let room = batchMax
  const strides: Stride[] = []
  for (const [place, walk] of walks.entries()) {
    const positions = found
      .slice(place * tables, (place + 1) * tables)
      .flat()
      .map(([position]) => Number(position))
      .sort((a, b) => a - b)
    const taken = positions.slice(0, room)
    const highest = taken.at(-1)
    // Each table gave its first `batchMax`: up to so many positions none is missing between them.
    const isAll = taken.length === positions.length && positions.length < batchMax
    strides.push({ walk, count: taken.length, highest, next: isAll ? endOf(walk) : (highest ?? walk.after) })
    room -= taken.length
    if (room === 0) break
  }
  return strides
}

/** Where scopes are locked one by one, those that have tombstones get a transaction each. */
function transactions({ together }: PruneSql, strides: readonly Stride[]): readonly (readonly Stride[])[] {
  if (together) return [strides]
  const removing = strides.filter(({ highest }) => highest !== undefined)
  return [...removing.map((stride) => [stride]), strides.filter(({ highest }) => highest === undefined)]
}

function statementsOf(sql: PruneSql, { walk: { scope, after, to }, highest, next }: Stride): Statement[] {
  // First, since it is the scope's lock: no push and no page sees the rows gone and the old
  // watermark.
  const raise = { sql: sql.raise, params: [scope, highest ?? 0] }
  const remove = sql.remove.map((one) => ({ sql: one, params: [scope, after, highest ?? 0] }))
  const done = sql.done.map((one) => ({ sql: one, params: [scope, to] }))
  return [...(highest === undefined ? [] : [raise, ...remove]), ...(next < to ? [] : done)]
}
