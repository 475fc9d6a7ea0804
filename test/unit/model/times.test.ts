import { describe, expect, it } from 'vitest'
import { decodeChange } from '../../../src/model/change.ts'
import { decimal, integer, json, real, timestamp } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { parseExact } from '../../../src/model/exact.ts'
import { noon } from '../../support/sample.ts'

const schema = defineSchema({
  all: {
    three: timestamp({ nullable: true }),
    six: timestamp({ digits: 6, nullable: true }),
    price: decimal({ nullable: true }),
    money: decimal({ precision: 5, scale: 2, nullable: true }),
    short: decimal({ precision: 3, nullable: true }),
    whole: decimal({ scale: 0, nullable: true }),
    real: real({ nullable: true }),
    integer: integer({ nullable: true }),
    json: json({ nullable: true }),
  },
})
const context = { schema, now: noon, clockDriftMsMax: 300_000, measure: true }
const decode = (column: string, value: unknown, more: object = {}) => {
  const change = { table: 'all', op: 'put', id: '1', at: noon, row: { [column]: value } }
  const place = schema.tables[0]?.places.get(column) ?? -1
  const decoded = decodeChange(change, 0, { ...context, ...more })
  return {
    value: decoded.change?.values[place],
    respelled: decoded.change?.respelled,
    error: decoded.error && `${decoded.error.code}: ${decoded.error.detail}`,
  }
}

describe('a time', () => {
  it.each([
    ['2026-01-31T08:30:00.000Z', '2026-01-31T08:30:00.000Z', '2026-01-31T08:30:00.000000Z'],
    ['2026-01-31T08:30:00Z', '2026-01-31T08:30:00.000Z', '2026-01-31T08:30:00.000000Z'],
    ['2026-01-31t08:30:00.1z', '2026-01-31T08:30:00.100Z', '2026-01-31T08:30:00.100000Z'],
    ['2026-01-31 08:30:00.12+00:00', '2026-01-31T08:30:00.120Z', '2026-01-31T08:30:00.120000Z'],
    ['2026-01-31T08:30:00.120000000000-00:00', '2026-01-31T08:30:00.120Z', '2026-01-31T08:30:00.120000Z'],
    ['2026-01-31T00:30:00.123+05:30', '2026-01-30T19:00:00.123Z', '2026-01-30T19:00:00.123000Z'],
    ['2026-01-31T23:30:00-23:59', '2026-02-01T23:29:00.000Z', '2026-02-01T23:29:00.000000Z'],
    ['2024-02-29T23:59:59.999+00:00', '2024-02-29T23:59:59.999Z', '2024-02-29T23:59:59.999000Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z', '2000-02-29T00:00:00.000000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z', '0001-01-01T00:00:00.000000Z'],
    ['0099-12-31T23:00:00-01:00', '0100-01-01T00:00:00.000Z', '0100-01-01T00:00:00.000000Z'],
    ['0001-01-01T05:00:00+05:00', '0001-01-01T00:00:00.000Z', '0001-01-01T00:00:00.000000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999000Z'],
    ['9999-12-31T23:59:59-00:00', '9999-12-31T23:59:59.000Z', '9999-12-31T23:59:59.000000Z'],
    ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999000Z'],
  ])('%s is stored in one spelling', (sent, three, six) => {
    expect(decode('three', sent)).toMatchObject({ value: three, respelled: sent === three ? undefined : true })
    expect(decode('six', sent)).toMatchObject({ value: six, respelled: true })
    expect(decode('six', six)).toMatchObject({ value: six, respelled: undefined })
  })

  it('with more digits than the column keeps is refused by saying so, and cut where that was asked for', () => {
    const sent = '2026-01-31T08:30:00.123456+01:00'
    expect(decode('six', sent).value).toBe('2026-01-31T07:30:00.123456Z')
    expect(decode('three', sent).error).toMatch(/at most 3 digits behind the second. This one has 6.*digits: 6/)
    expect(decode('six', '2026-01-31T08:30:00.1234567Z').error).toMatch(
      /at most 6 digits behind the second. This one has 7/,
    )
    expect(decode('three', sent, { cutDigits: true }).value).toBe('2026-01-31T07:30:00.123Z')
    expect(decode('three', '2026-01-31T08:30:00.9999Z', { cutDigits: true }).value).toBe('2026-01-31T08:30:00.999Z')
    expect(decode('six', `2026-01-31T08:30:00.${'0'.repeat(200_000)}1Z`).error).toMatch(/has 200001/)
  })

  it.each([
    [
      /a day that there is/,
      ['2026-02-30T00:00:00Z', '2026-02-29T00:00:00Z', '1900-02-29T00:00:00Z', '2026-04-31T00:00:00Z'],
    ],
    [
      /a day that there is/,
      ['2026-13-01T00:00:00Z', '2026-00-01T00:00:00Z', '2026-01-00T00:00:00Z', '2026-01-32T00:00:00Z'],
    ],
    [/years 0001 to 9999/, ['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+00:01', '9999-12-31T23:59:59-00:01']],
    [
      /RFC 3339/,
      [
        ...['2026-01-31T24:00:00Z', '2026-01-31T23:59:60Z', '2016-12-31T23:59:60Z', '2026-01-31T23:60:00Z'],
        ...[
          '2026-01-31',
          '2026-01-31T08:30:00',
          '2026-01-31T08:30Z',
          '2026-01-31T08:30:00.Z',
          '2026-01-31T08:30:00,1Z',
        ],
        ...[
          '2026-01-31T08:30:00+24:00',
          '2026-01-31T08:30:00+00:60',
          '2026-01-31T08:30:00+01',
          '2026-01-31T08:30:00+0100',
        ],
        ...[
          '10000-01-01T00:00:00Z',
          '-2026-01-31T08:30:00Z',
          ' 2026-01-31T08:30:00Z',
          '2026-01-31T08:30:00Z\n',
          'infinity',
        ],
        ...['2026-01-31T08:30:00Z BC', '٢٠٢٦-01-31T08:30:00Z', ''],
      ],
    ],
    [/RFC 3339/, [5, true, [], {}]],
  ] as [RegExp, unknown[]][])('P12 that is none is refused in words that say why: %s', (words, some) => {
    for (const one of some) {
      for (const column of ['three', 'six']) {
        expect(decode(column, one).error, String(one)).toMatch(words)
        expect(decode(column, one).error).toMatch(/^invalid_value: /)
        expect(decode(column, one, { cutDigits: true }).error, String(one)).toMatch(words)
      }
    }
  })
})

describe('a decimal', () => {
  const long = '9'.repeat(1_000)
  it('is text in one form, whose digits are kept', () => {
    for (const one of ['0', '0.0', '0.10', '1.10', '-1', '-0.01', '12345678901234567.89', '100', long, `0.${long}`])
      expect(decode('price', one)).toEqual({ value: one, respelled: undefined, error: undefined })
    for (const one of [
      '-0',
      '-0.00',
      '00',
      '01',
      '.5',
      '5.',
      '+1',
      '1e3',
      ' 1',
      '1 ',
      '1,5',
      '',
      'NaN',
      'Infinity',
      '١',
      1,
      1.5,
      true,
    ])
      expect(decode('price', one).error, String(one)).toMatch(/^invalid_value: all.price must be a decimal as text/)
    for (const one of [`1${long}`, `0.1${long}`, `1.${long}`, '1'.repeat(100_000)])
      expect(decode('price', one).error, one.slice(0, 9)).toMatch(/must be at most 1000 digits long/)
  })

  it('holds to its precision and scale', () => {
    for (const one of ['999.99', '-999.99', '0.01', '5']) expect(decode('money', one).error).toBeUndefined()
    expect(decode('money', '1000').error).toMatch(/at most 3 digits before the point/)
    expect(decode('money', '0.001').error).toMatch(/at most 2 digits behind the point/)
    for (const one of ['123', '0.123', '1.23']) expect(decode('short', one).error).toBeUndefined()
    for (const one of ['1234', '12.34', '0.1234']) expect(decode('short', one).error).toMatch(/at most 3 digits/)
    expect(decode('whole', '1234').error).toBeUndefined()
    expect(decode('whole', '1.0').error).toMatch(/at most 0 digits behind the point/)
  })

  it.each([{ stampless: true }, { pulled: true }])('may be a number where other systems send it: %j', (more) => {
    const cases = [
      ...[['1.50', '1.5'], ['-0', '0'], ['1e21', '1000000000000000000000'], ['1e-7', '0.0000001']],
      ...[['12345678901234567.89', '12345678901234567.89'], ['0.1234567890123456789', '0.1234567890123456789']],
      ...[['-9007199254740993', '-9007199254740993'], ['1e400', `1${'0'.repeat(400)}`], ['"1.50"', '1.50']],
    ] // biome-ignore format: a list
    for (const [literal = '', value] of cases) {
      expect(decode('price', parseExact(literal), more).value, literal).toBe(value)
    }
    for (const literal of ['1e999999999', '1e5000', '"1e3"', 'true', '[1]'])
      expect(decode('price', parseExact(literal), more).error, literal).toMatch(/^invalid_value/)
  })
})

describe('a number that no double holds', () => {
  const literals = ['9007199254740993', '12345678901234567.89', '1e-400', '0.1234567890123456789', '1e400']
  it.each(literals)('P12 %s is refused by its column, at every depth', (literal) => {
    for (const more of [{}, { stampless: true }, { pulled: true }]) {
      expect(decode('real', parseExact(literal), more).error).toMatch(
        /^invalid_value: all.real must be a number that a double holds/,
      )
      expect(decode('integer', parseExact(literal), more).error).toMatch(
        /^invalid_value: all.integer must be an integer/,
      )
      expect(decode('three', parseExact(literal), more).error).toMatch(/^invalid_value: all.three must be a time/)
      for (const json of [literal, `[${literal}]`, `{"a":{"b":[1,{"c":${literal}}]}}`])
        expect(decode('json', parseExact(json), more).error).toMatch(
          /^invalid_value: all.json must be JSON whose numbers/,
        )
    }
  })

  it.each(literals)('P12 %s is refused in every other place of a change', (literal) => {
    const of = (text: string, more = {}) => decodeChange(parseExact(text), 0, { ...context, ...more }).error?.code
    const change = (members: string) => `{"table":"all","op":"put","id":"1","at":${noon},"row":{"real":1},${members}}`
    expect(of(literal)).toBe('invalid_change')
    expect(of(change(`"row":${literal}`))).toBe('invalid_change')
    expect(of(change(`"at":${literal}`))).toBe('invalid_stamp')
    expect(of(change(`"id":${literal}`))).toBe('invalid_id')
    expect(of(change(`"scope":${literal}`))).toBe('invalid_change')
    expect(of(change(`"table":${literal}`))).toBe('unknown_table')
    expect(of(change(`"op":${literal}`))).toBe('unknown_op')
    expect(of(change(`"position":${literal}`), { pulled: true })).toBe('invalid_change')
    expect(of(change(`"by":${literal}`), { pulled: true })).toBe('invalid_stamp')
    expect(of(change('"position":7'), { pulled: true })).toBeUndefined()
  })

  it('P12 a stamp whose digits would be rounded to a good one is refused', () => {
    const text = `{"table":"all","op":"put","id":"1","at":${noon}.00000001,"row":{}}`
    expect(JSON.parse(text).at).toBe(noon)
    expect(decodeChange(parseExact(text), 0, context).error?.code).toBe('invalid_stamp')
  })
})

describe('the options of columns', () => {
  it('are checked where the schema is defined', () => {
    // biome-ignore lint/suspicious/noExplicitAny: what TypeScript refuses
    const [time, number] = [timestamp as any, decimal as any]
    expect(() => time({ digits: 4 })).toThrow('timestamp(): digits must be 3 or 6')
    expect(() => time({ scale: 4 })).toThrow(
      /no option scale; it takes nullable, default, renamedFrom, since, unique, merge, readonly, filled, digits/,
    )
    expect(() => number({ precision: 0 })).toThrow(/precision must be an integer/)
    expect(() => number({ scale: -1 })).toThrow(/scale must be an integer/)
    expect(() => number({ precision: 2, scale: 3 })).toThrow(/scale must not be above precision/)
    expect(() => number({ default: 1.5 })).toThrow(/the default must be a decimal as text/)
    expect(() => number({ scale: 1, default: '1.55' })).toThrow(/at most 1 digits/)
    expect(() => time({ default: '2026-02-30T00:00:00Z' })).toThrow(/a day that there is/)
  })

  it('a default time is the one spelling of it', () => {
    expect(timestamp({ default: '2026-01-31t09:30:00+01:00' }).default).toBe('2026-01-31T08:30:00.000Z')
    expect(timestamp({ digits: 6, default: '2026-01-31T08:30:00.5Z' }).default).toBe('2026-01-31T08:30:00.500000Z')
  })
})
