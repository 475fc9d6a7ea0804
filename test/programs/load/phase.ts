import { setTimeout as sleep } from 'node:timers/promises'
import type { Writer } from './writer.ts'

/**
 * Writers that go on at once after each answer, and such that sync at fixed times whatever the
 * server does.
 */
export interface Phase {
  readonly eager: readonly Writer[]
  readonly paced: readonly Writer[]
}

/** What they saw: milliseconds of each sync, and how long it all took. */
export interface Seen {
  readonly eager: readonly number[]
  readonly paced: readonly number[]
  readonly seconds: number
}

/** How often a paced writer syncs. */
export const pacedMs = 500

export async function playPhase({ eager, paced }: Phase, ms: number): Promise<Seen> {
  const began = performance.now()
  const until = began + ms
  const seen = { eager: [] as number[], paced: [] as number[] }
  const goOn = async (writer: Writer) => {
    while (performance.now() < until) seen.eager.push(await writer.sync())
  }
  /**
   * What is due while the last answer is still out waits for it, and that wait counts: a slow
   * server is not asked less.
   */
  const keepPace = async (writer: Writer, place: number) => {
    for (let due = began + (place / paced.length) * pacedMs; due < until; due += pacedMs) {
      const isLate = performance.now() > due
      if (!isLate) await sleep(due - performance.now())
      seen.paced.push(await writer.sync(isLate ? due : undefined))
    }
  }
  await Promise.all([...eager.map(goOn), ...paced.map(keepPace)])
  return { ...seen, seconds: (performance.now() - began) / 1000 }
}

/** The value below which this share of them lies: 0.99 for the p99. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
