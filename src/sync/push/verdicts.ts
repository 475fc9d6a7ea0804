import type { Rejection } from '../../model/errors.ts'
import type { Tally, Verdict } from '../../model/verdict.ts'
import type { Rejections } from './admitted.ts'

/** The answers to changes, by their index in the request. */
export type Verdicts = ReadonlyMap<number, Verdict>

export function rejectedVerdicts(rejected: Rejections): Verdicts {
  return new Map([...rejected].map(([index, error]) => [index, { verdict: 'rejected', error }]))
}

export function tookEffect(verdicts: Verdicts): Verdicts {
  return new Map([...verdicts].filter(([, { verdict }]) => verdict !== 'rejected'))
}

/** Of an index that comes twice, the later verdict. */
export function joinVerdicts(parts: readonly Verdicts[]): Verdicts {
  const some = parts.filter(({ size }) => size > 0)
  return some.length === 1 && some[0] ? some[0] : new Map(some.flatMap((part) => [...part]))
}

export function rejectionsOf(verdicts: Verdicts): Rejections {
  const rejected = new Map<number, Rejection>()
  for (const [index, verdict] of verdicts) if (verdict.verdict === 'rejected') rejected.set(index, verdict.error)
  return rejected
}

/** In the order of the request: one for each of its changes (P12). */
export function inOrder(verdicts: Verdicts): Verdict[] {
  const list: Verdict[] = []
  for (const [index, verdict] of verdicts) list[index] = verdict
  // A webhook that was sent again with other changes keeps the verdicts of those that took effect.
  return list.filter((verdict) => verdict !== undefined)
}

/** How many of each. What is rejected is no part of a tally. */
export function tallyOf(verdicts: Iterable<Verdict>): Tally {
  const tally: Tally = { applied: 0, duplicate: 0, stale: 0 }
  for (const { verdict } of verdicts) if (verdict !== 'rejected') tally[verdict]++
  return tally
}
