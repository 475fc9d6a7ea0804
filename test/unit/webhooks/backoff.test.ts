import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRetryAfter, pauseAfter, pausesMs, retryAfterMsMax } from '../../../src/webhooks/out/backoff.ts'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('the pauses between the tries of a delivery', () => {
  it('are those of Standard Webhooks, ten tries over three days', () => {
    const pauses = Array.from({ length: 10 }, (_, tried) => pauseAfter(tried + 1, 0))
    const minute = 60
    const seconds = [5, 5 * minute, 30 * minute, ...[2, 5, 10, 14, 20, 24].map((hours) => hours * 60 * minute)]
    expect(pauses).toEqual([...seconds.map((one) => one * 1000), undefined])
    expect(pausesMs.reduce((sum, one) => sum + one, 0) / 24 / 3_600_000).toBeCloseTo(3.15, 1)
  })

  it('are up to a fifth longer than that, never shorter, and never shorter than Retry-After', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), random, fc.nat(retryAfterMsMax), (attempts, at, retryAfter) => {
        const pause = pauseAfter(attempts, at, retryAfter) ?? 0
        const least = pausesMs[attempts - 1] ?? 0
        expect(pause).toBeGreaterThanOrEqual(Math.max(least, retryAfter))
        expect(pause).toBeLessThanOrEqual(Math.max(least * 1.2, retryAfter))
        expect(Number.isInteger(pause)).toBe(true)
      }),
    )
  })

  it('end after the last try, whatever the receiver asks for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 1_000 }), random, (tried, at) => pauseAfter(tried, at, 1) === undefined),
    )
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2026-11-21T12:00:00Z')
  it.each([
    ['120', 120_000],
    [' 5 ', 5_000],
    ['0', 0],
    ['-5', 0],
    ['Sat, 21 Nov 2026 12:01:00 GMT', 60_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
    ['Sat, 21 Nov 2027 12:00:00 GMT', retryAfterMsMax],
    ['99999999999999999999999', retryAfterMsMax],
    ['soon', 0],
    ['', 0],
    [undefined, 0],
    [null, 0],
  ])('%j asks for %d ms', (text, ms) => {
    expect(parseRetryAfter(text, now)).toBe(ms)
  })

  it('is never negative, never more than a day, and always a number', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer().map(String), fc.double().map(String)), (text) => {
        const ms = parseRetryAfter(text, now)
        return ms >= 0 && ms <= retryAfterMsMax
      }),
    )
  })
})
