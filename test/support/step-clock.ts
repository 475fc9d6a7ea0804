import { afterEach, beforeEach, vi } from 'vitest'

export const RealDate = Date

/**
 * Steps the wall's clock of this process to so much from the true time. What else tells time goes
 * on steadily.
 */
export function step(offsetMs: number): void {
  vi.setSystemTime(RealDate.now() + offsetMs)
}

/** For a file of tests that step the clock: each begins with the true time. */
export function stepTheClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] })
    step(0)
  })
  afterEach(() => void vi.useRealTimers())
}
