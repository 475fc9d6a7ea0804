/** A clock that stands still until a test moves it: `now` is what driftline's options take. */
export interface TestClock {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Moves the clock by so many milliseconds, back where they are negative. */
  step(ms: number): void
  /** Sets the clock to a time, in milliseconds since 1970. */
  set(ms: number): void
  /**
   * `at` of a change that is made now, in microseconds since 1970: greater than each that this
   * clock gave before, also where the clock was set back, as a phone's stamps are.
   */
  stamp(): number
}

/** 2026-11-21T02:00:00Z. */
const start = 1_795_226_400_000

export function createTestClock(startMs: number = start): TestClock {
  let time = 0
  let last = 0
  const clock: TestClock = {
    now: () => time,
    step: (ms) => clock.set(time + ms),
    set(ms) {
      if (!Number.isInteger(ms) || !Number.isSafeInteger(ms * 1000))
        throw new TypeError(`Give whole milliseconds since 1970, not ${ms}`)
      time = ms
    },
    stamp() {
      last = Math.max(time * 1000, last + 1)
      return last
    },
  }
  clock.set(startMs)
  return clock
}
