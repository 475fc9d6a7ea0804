import { limits } from '../../model/limits.ts'

/**
 * How long a request may look for what a database refuses. Whatever is not found out by then is
 * answered `send_fewer`.
 */
export interface Allowance {
  /** Milliseconds, from any beginning. */
  now(): number
  /** Whether there is time for another try. The first call begins it. */
  isLeft(): boolean
}

export function createAllowance(now: () => number = () => performance.now()): Allowance {
  let until: number | undefined
  return {
    now,
    isLeft() {
      until ??= now() + limits.refusalMsMax
      return now() < until
    },
  }
}
