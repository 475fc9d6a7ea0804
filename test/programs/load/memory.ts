import { readFileSync } from 'node:fs'
import { median } from '../benchmark/measure.ts'

export interface MemorySample {
  readonly ms: number
  readonly mb: number
}

/** Looks at the resident memory of a process until it is stopped. */
export function watchMemory(pid: number, everyMs = 100): { stop(): readonly MemorySample[] } {
  const samples: MemorySample[] = []
  const timer = setInterval(() => samples.push({ ms: performance.now(), mb: residentMb(pid) }), everyMs)
  return {
    stop() {
      clearInterval(timer)
      return samples
    },
  }
}

/** Zero once it has ended, and where there is no /proc. */
function residentMb(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}

export interface MemoryGrowth {
  readonly beginMb: number
  readonly endMb: number
  readonly peakMb: number
  /** 0.1 is 10 %. */
  readonly ratio: number
}

/**
 * How much it has grown over the second half: the median of the last `windowMs` against that of as
 * long a time from the middle on. A median, because garbage makes the samples go up and down; a
 * window that holds every kind of load once, because each kind needs another amount.
 */
export function growthOf(samples: readonly MemorySample[], windowMs: number): MemoryGrowth {
  const [first, last] = [samples[0]?.ms ?? 0, samples.at(-1)?.ms ?? 0]
  const middle = (first + last) / 2
  const window = Math.min(windowMs, (last - middle) / 2)
  const medianOf = (from: number, to: number) =>
    median(samples.filter(({ ms }) => ms >= from && ms <= to).map(({ mb }) => mb))
  const [beginMb, endMb] = [medianOf(middle, middle + window), medianOf(last - window, last)]
  return { beginMb, endMb, peakMb: Math.max(...samples.map(({ mb }) => mb)), ratio: endMb / beginMb - 1 }
}
