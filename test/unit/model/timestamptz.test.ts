import { describe, expect, it } from 'vitest'
import { parseExact } from '../../../src/model/exact.ts'
import { timestamptzToMicroseconds, timestamptzToTimestamp } from '../../../src/model/timestamptz.ts'
import { readId } from '../../../src/webhooks/in/payload.ts'

describe('a timestamptz of Postgres', () => {
  it.each([
    ['2026-09-01T10:00:00.123456+00:00', '2026-09-01T10:00:00.123Z', '2026-09-01T10:00:00.123456Z', 1788256800123456],
    ['2026-09-01 10:00:00.999999+00', '2026-09-01T10:00:00.999Z', '2026-09-01T10:00:00.999999Z', 1788256800999999],
    ['2026-09-01 10:00:00.5+05:30', '2026-09-01T04:30:00.500Z', '2026-09-01T04:30:00.500000Z', 1788237000500000],
    ['2026-09-01 10:00:00', '2026-09-01T10:00:00.000Z', '2026-09-01T10:00:00.000000Z', 1788256800000000],
    ['1890-01-01 00:00:00+00:53:28', '1889-12-31T23:06:32.000Z', '1889-12-31T23:06:32.000000Z', -2524524808000000],
    ['0001-01-01 00:00:00+00', '0001-01-01T00:00:00.000Z', '0001-01-01T00:00:00.000000Z', -62135596800000000],
  ])('%s becomes the value of a column, cut to its digits, and microseconds', (text, three, six, microseconds) => {
    expect([timestamptzToTimestamp(text), timestamptzToTimestamp(text, 3)]).toEqual([three, three])
    expect(timestamptzToTimestamp(text, 6)).toBe(six)
    expect(timestamptzToMicroseconds(text)).toBe(microseconds)
  })

  it('that is null stays null in a column', () => {
    expect(timestamptzToTimestamp(null)).toBe(null)
  })

  it.each([
    ...['infinity', '-infinity', '0044-03-15 00:00:00+00 BC', '10000-01-01 00:00:00+00', '9999-12-31 23:59:59-01'],
    ...['2026-02-30 00:00:00+00', '2026-04-31T00:00:00+00:00', '2026-02-29 00:00:00+00', '1900-02-29 00:00:00+00'],
    ...['2026-09-01 24:00:00+00', '2026-09-01 23:59:60+00', '2026-09-01', '', '2026-09-01 10:00:00+24'],
  ])('%j is refused, whichever way it is read', (text) => {
    expect(() => timestamptzToTimestamp(text)).toThrow('A timestamp of Postgres looks like')
    expect(() => timestamptzToMicroseconds(text)).toThrow('A timestamp of Postgres looks like')
  })

  it('that is no text is refused, and shown in no message', () => {
    for (const one of [undefined, 5, {}, null]) expect(() => timestamptzToMicroseconds(one)).toThrow(/looks like/)
  })
})

it('an id that Postgres counts beyond 2^53 is taken by its digits', () => {
  expect(readId(parseExact('9007199254740993'), 'id')).toBe('9007199254740993')
  for (const one of ['9007199254740993.5', '1e400']) expect(() => readId(parseExact(one), 'id')).toThrow(/must be/)
})
