import { expect, it } from 'vitest'
import { createTestClock } from '../../../src/testing/index.ts'

it('a test clock stands still until it is moved, forward, back and to a time', () => {
  const { now, step, set } = createTestClock(1_000)
  expect([now(), now()]).toEqual([1_000, 1_000])
  step(500)
  expect(now()).toBe(1_500)
  step(-700)
  expect(now()).toBe(800)
  set(0)
  expect(now()).toBe(0)
})

it('begins at a time of its own, the same in every run', () => {
  expect(createTestClock().now()).toBe(createTestClock().now())
  expect(new Date(createTestClock().now()).toISOString()).toBe('2026-11-21T02:00:00.000Z')
})

it('gives stamps in microseconds, each greater than those before, also where the clock was set back', () => {
  const clock = createTestClock(1_000)
  expect([clock.stamp(), clock.stamp()]).toEqual([1_000_000, 1_000_001])
  clock.step(1)
  expect(clock.stamp()).toBe(1_001_000)
  clock.step(-1_000)
  expect([clock.stamp(), clock.now()]).toEqual([1_001_001, 1])
})

it.each([Number.NaN, Number.POSITIVE_INFINITY, 0.5, 2 ** 53])('takes no %d for milliseconds, and says so', (ms) => {
  const words = `Give whole milliseconds since 1970, not ${ms}`
  expect(() => createTestClock(ms)).toThrow(new TypeError(words))
  expect(() => createTestClock().set(ms)).toThrow(new TypeError(words))
})
