import { createBoundedMap } from '../../model/bounded-map.ts'

/**
 * A store of tokens for each subject, which fills up evenly: bursts are taken, and what goes on is
 * bounded.
 */
export interface Buckets {
  /**
   * Takes so many, and gives 0; or takes nothing, and gives how many milliseconds later it would.
   */
  take(subject: string, count: number): number
  /** Takes as many as there are, up to so many. */
  takeSome(subject: string, count: number): number
  giveBack(subject: string, count: number): void
}

/**
 * Subjects that are remembered at the most. Beyond it those that have not taken anything for long
 * are forgotten.
 */
const subjectsMax = 100_000

/**
 * In the memory of a process, or of an isolate: several of them take as many times as much, and a
 * start begins anew. It costs no round trip, which a count in a database would. A bucket holds what
 * may be taken within `fillMs`. Whoever takes more than it can hold takes all of it, and what it
 * lacks is made up for before the next one.
 */
export function createBuckets(most: number, fillMs: number, now: () => number = Date.now): Buckets {
  const buckets = createBoundedMap<string, { level: number; at: number }>(subjectsMax)

  function bucketOf(subject: string): { level: number; at: number } {
    const at = now()
    const known = buckets.get(subject)
    // A clock that was set back fills nothing.
    const level = known ? Math.min(most, known.level + (Math.max(0, at - known.at) * most) / fillMs) : most
    const bucket = { level, at }
    buckets.set(subject, bucket)
    return bucket
  }

  return {
    take(subject, count) {
      const bucket = bucketOf(subject)
      const lacks = Math.min(count, most) - bucket.level
      if (lacks > 0) return Math.ceil((lacks * fillMs) / most)
      bucket.level -= count
      return 0
    },
    takeSome(subject, count) {
      const bucket = bucketOf(subject)
      const taken = Math.max(0, Math.min(count, Math.floor(bucket.level)))
      bucket.level -= taken
      return taken
    },
    giveBack(subject, count) {
      const bucket = bucketOf(subject)
      bucket.level = Math.min(most, bucket.level + count)
    },
  }
}
