import { type Figure, median } from '../benchmark/measure.ts'
import { quantile, type Seen } from './phase.ts'
import type { PhaseName, Played } from './play.ts'
import type { Outcome } from './store.ts'
import { changesOfSync } from './writer.ts'

/** What a group of writers saw over all slices of a phase. */
export interface Group {
  readonly syncs: number
  readonly syncsPerSecond: number
  readonly p50: number
  readonly p99: number
}

type Kind = 'eager' | 'paced'

export function sumUp(slices: readonly Seen[], kind: Kind): Group {
  const all = slices.flatMap((slice) => slice[kind])
  const seconds = slices.reduce((sum, slice) => sum + slice.seconds, 0)
  return {
    syncs: all.length,
    syncsPerSecond: all.length / seconds,
    p50: quantile(all, 0.5),
    p99: quantile(all, 0.99),
  }
}

/** In the order of the table. */
function linesOf(users: number): readonly (readonly [string, PhaseName, Kind])[] {
  const half = users / 2
  return [
    [`${users} users, a scope each`, 'users', 'eager'],
    [`${half} writers, a scope each`, 'distinct', 'eager'],
    [`${half} writers, one hot scope`, 'hot', 'eager'],
    [`${half} others at fixed times, by themselves`, 'others', 'paced'],
    [`${half} others, beside ${half} writers of a scope each`, 'others with distinct', 'paced'],
    ['  those writers', 'others with distinct', 'eager'],
    [`${half} others, beside ${half} writers of one hot scope`, 'others with hot', 'paced'],
    ['  those writers', 'others with hot', 'eager'],
  ]
}

/** As Markdown. */
export function formatTable(store: string, { users, seen }: Played): string {
  const rows = linesOf(users).map(([name, phase, kind]) => {
    const { syncs, syncsPerSecond, p50, p99 } = sumUp(seen[phase], kind)
    return [name.padEnd(50), syncs.toLocaleString('en'), syncsPerSecond.toFixed(1), p50.toFixed(1), p99.toFixed(1)]
  })
  const head = [`${store}, ${changesOfSync} changes a sync`.padEnd(50), 'syncs', 'syncs/s', 'p50 ms', 'p99 ms']
  const format = (cells: readonly string[]) => `| ${cells.map((cell) => cell.padStart(8)).join(' | ')} |`
  return [format(head), `|${'-'.repeat(52)}|${'---------:|'.repeat(4)}`, ...rows.map(format)].join('\n')
}

/** Ratios of a phase to another, slice by slice: each pair was played within the same round. */
function ratiosOf(ours: readonly Seen[], theirs: readonly Seen[], value: (slice: Seen) => number): number[] {
  return ours.map((slice, round) => value(slice) / value(theirs[round] ?? slice))
}

const p99OfOthers = ({ paced }: Seen) => quantile(paced, 0.99)
const ms = (slices: readonly Seen[]) => `${median(slices.map(p99OfOthers)).toFixed(1)} ms`

/**
 * What must hold. The p99 of the others beside a hot scope is held against their p99 beside as many
 * writers who pause as little, on a scope each: what is left is what the others pay for the scope
 * being hot, such as connections that it holds. Against the others by themselves most of it is the
 * machine, which has that much more to do.
 */
export function figuresOf(store: string, { played: { users, seen }, memory }: Outcome): Figure[] {
  const rate = ({ eager, seconds }: Seen) => eager.length / seconds
  const rateOf = (slices: readonly Seen[]) => `${median(slices.map(rate)).toFixed(0)} syncs/s`
  const [beside, hot] = [seen['others with distinct'], seen['others with hot']]
  return [
    {
      name: `${store}: syncs of ${users / 2} writers of one hot scope, as a share of those of a scope each`,
      ours: rateOf(seen.hot),
      theirs: rateOf(seen.distinct),
      ratios: ratiosOf(seen.hot, seen.distinct, rate),
      target: 0.3,
      sense: 'at least',
    },
    {
      name: `${store}: p99 of the others beside the hot scope, against beside as many writers of a scope each`,
      ours: ms(hot),
      theirs: ms(beside),
      ratios: ratiosOf(hot, beside, p99OfOthers),
      target: 2,
      sense: 'at most',
    },
    {
      name: `${store}: memory of the server at the end, against the middle`,
      ours: `${memory.endMb.toFixed(0)} MB`,
      theirs: `${memory.beginMb.toFixed(0)} MB`,
      ratios: [1 + memory.ratio],
      target: 1.1,
      sense: 'at most',
    },
  ]
}

/** The comparison that holds the machine against the others as well. It has no target. */
export function plainComparison(store: string, { seen }: Played): string {
  const [alone, beside, hot] = [seen.others, seen['others with distinct'], seen['others with hot']]
  const times = (slices: readonly Seen[]) => median(ratiosOf(slices, alone, p99OfOthers)).toFixed(1)
  return `       ${store}: p99 of the others by themselves ${ms(alone)}; ${times(hot)} times that beside the hot scope, ${times(beside)} times beside a scope each`
}

/** The figures that docs/promises.md keeps. */
export function recordOf(store: string, outcome: Outcome): Record<string, string> {
  const [share, p99] = figuresOf(store, outcome).map(({ ratios }) => median(ratios).toFixed(2))
  const { users, seen } = outcome.played
  const { syncsPerSecond, p50, p99: usersP99 } = sumUp(seen.users, 'eager')
  const { beginMb, endMb } = outcome.memory
  return {
    [`${store}: syncs/s of ${users} users`]: syncsPerSecond.toFixed(0),
    [`${store}: their p50 and p99`]: `${p50.toFixed(0)} and ${usersP99.toFixed(0)} ms`,
    [`${store}: a hot scope does`]: `${share} of distinct ones`,
    [`${store}: p99 of others beside it`]: `${p99} of that beside distinct ones`,
    [`${store}: memory in the middle and at the end`]: `${beginMb.toFixed(0)} and ${endMb.toFixed(0)} MB`,
  }
}
