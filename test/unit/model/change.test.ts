import { describe, expect, it } from 'vitest'
import { decodeChange } from '../../../src/model/change.ts'
import { boolean, bytes, integer, json, real, text, timestamp, uuid } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { limits } from '../../../src/model/limits.ts'
import { noon } from '../../support/sample.ts'

const schema = defineSchema({
  todos: {
    title: text({ maxLength: 5 }),
    kind: text({ oneOf: ['a', 'b'], default: 'a' }),
    done: boolean({ default: false }),
    notes: text({ nullable: true }),
  },
  all: {
    integer: integer({ nullable: true }),
    real: real({ nullable: true }),
    json: json({ nullable: true }),
    timestamp: timestamp({ nullable: true }),
    uuid: uuid({ nullable: true }),
    bytes: bytes({ nullable: true }),
  },
})
const context = { schema, now: noon, clockDriftMsMax: 300_000, measure: true }
const decode = (input: unknown) => decodeChange(input, 0, context)
const good = { table: 'todos', op: 'put', id: '1', at: noon, row: { title: 'milk' } }

describe('decode', () => {
  const cases: [string, unknown, string, RegExp][] = [
    ['null', null, 'invalid_change', /must be an object/],
    ['an array', [], 'invalid_change', /must be an object/],
    ['an unknown member', { ...good, rwo: 1 }, 'invalid_change', /no member "rwo"/],
    ['no table', { ...good, table: undefined }, 'unknown_table', /"table" must be one of todos, all/],
    ['a prototype name as table', { ...good, table: '__proto__' }, 'unknown_table', /"table"/],
    ['an unknown op', { ...good, op: 'upsert' }, 'unknown_op', /put, patch or delete/],
    ['a number as id', { ...good, id: 1 }, 'invalid_id', /1 to 128/],
    ['an empty id', { ...good, id: '' }, 'invalid_id', /1 to 128/],
    ['a control character in the id', { ...good, id: 'a\u0085' }, 'invalid_id', /control/],
    ['DEL in the id', { ...good, id: 'a\u007f' }, 'invalid_id', /control/],
    ['a lone surrogate in the id', { ...good, id: '\ud800' }, 'invalid_id', /control/],
    ['129 code points', { ...good, id: '😀'.repeat(129) }, 'invalid_id', /128/],
    ['no stamp', { ...good, at: undefined }, 'invalid_stamp', /microseconds/],
    ['a stamp as text', { ...good, at: String(noon) }, 'invalid_stamp', /microseconds/],
    ['a stamp in milliseconds', { ...good, at: noon / 1000 }, 'invalid_stamp', /this is in milliseconds/],
    ['a broken stamp', { ...good, at: noon + 0.5 }, 'invalid_stamp', /integer/],
    ['a stamp past the bound', { ...good, at: noon + 300_000_001 }, 'clock_ahead', /300 seconds/],
    ['a scope that is no text', { ...good, scope: 5 }, 'invalid_change', /"scope"/],
    ['no row', { ...good, row: undefined }, 'invalid_change', /needs "row"/],
    ['a row that is an array', { ...good, row: [] }, 'invalid_change', /needs "row"/],
    ['a delete with a row', { ...good, op: 'delete' }, 'invalid_change', /no "row"/],
    ['an empty patch', { ...good, op: 'patch', row: {} }, 'invalid_change', /at least one/],
    ['an unknown column', { ...good, row: { title: 'a', constructor: 1 } }, 'unknown_column', /"constructor"/],
    [
      '__proto__ as column',
      JSON.parse(`{"table":"todos","op":"put","id":"1","at":${noon},"row":{"title":"a","__proto__":1}}`),
      'unknown_column',
      /"__proto__"/,
    ],
    ['a system column', { ...good, row: { title: 'a', position: 1 } }, 'unknown_column', /"position"/],
    ['a missing column', { ...good, row: { notes: null } }, 'missing_column', /title/],
    ['null where required', { ...good, row: { title: null } }, 'invalid_value', /must not be null/],
    [
      'null where a default is',
      { ...good, row: { title: 'a', done: null } },
      'invalid_value',
      /todos.done must not be null/,
    ],
    ['a number as text', { ...good, row: { title: 5 } }, 'invalid_value', /todos.title must be text/],
    ['a text too long', { ...good, row: { title: '123456' } }, 'invalid_value', /at most 5/],
    ['NUL', { ...good, row: { title: 'a\0' } }, 'invalid_value', /NUL/],
    ['a lone surrogate', { ...good, row: { title: '\udc00' } }, 'invalid_value', /surrogates/],
    ['not one of', { ...good, row: { title: 'a', kind: 'c' } }, 'invalid_value', /one of "a", "b"/],
    ['a boolean as number', { ...good, row: { title: 'a', done: 1 } }, 'invalid_value', /true or false/],
  ]
  it.each(cases)('P12 refuses %s', (_, input, code, detail) => {
    const { error } = decode(input)
    expect(error?.code).toBe(code)
    expect(error?.detail).toMatch(detail)
  })

  const values: [string, unknown[], unknown[]][] = [
    ['integer', [0, -0, 2 ** 53 - 1, -(2 ** 53 - 1)], [2 ** 53, 0.5, '5', true, Number.NaN, Number.POSITIVE_INFINITY]],
    ['real', [0, 0.1, 5e-324, Number.MAX_VALUE, 1e21], ['1', Number.NaN, Number.NEGATIVE_INFINITY, true]],
    ['json', [[], {}, 'x', 1, [{ __proto__: 1 }], nest(100)], [2 ** 53, ['\0'], { '\ud800': 1 }, nest(101)]],
    [
      'timestamp',
      ['2026-01-31T08:30:00.000Z', '0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z'],
      [
        '2026-01-31',
        '2026-02-30T00:00:00.000Z',
        '2026-01-31T08:30:00',
        '2026-01-31T08:30:00.0001+00:00',
        '0000-01-01T00:00:00.000Z',
        '2026-01-31T24:00:00.000Z',
        5,
      ],
    ],
    [
      'uuid',
      ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
      ['FFFFFFFF-ffff-ffff-ffff-ffffffffffff', '0', '{00000000-0000-0000-0000-000000000000}'],
    ],
    ['bytes', ['', 'AA', 'AAA', 'AAAA', '-_-_', 'Zg', 'Zm8'], ['A', 'AB', 'AAB', 'AA==', 'A+', 'AA\n']],
  ]
  it.each(values)('takes %s only as it comes back', (type, taken, refused) => {
    const of = (value: unknown) => decode({ table: 'all', op: 'put', id: '1', at: noon, row: { [type]: value } })
    for (const value of taken) expect(of(value).error, String(value)).toBeUndefined()
    for (const value of refused) expect(of(value).error?.code, String(value)).toBe('invalid_value')
  })

  it('fills a put with defaults and NULL, and leaves the columns of a patch open', () => {
    expect(decode(good).change?.values).toEqual(['milk', 'a', false, null])
    expect(decode({ ...good, op: 'patch', row: { notes: null } }).change?.values).toEqual([
      undefined,
      undefined,
      undefined,
      null,
    ])
    expect(decode({ table: 'todos', op: 'delete', id: '1', at: noon }).change?.values).toEqual([null, null, null, null])
  })

  it('P10 takes stamps up to the bound and no further', () => {
    expect(decode({ ...good, at: noon + 300_000_000 }).error).toBeUndefined()
    expect(decode({ ...good, at: noon + 300_000_001 }).error?.code).toBe('clock_ahead')
    expect(decode({ ...good, at: limits.stampMin }).error).toBeUndefined()
    expect(decode({ ...good, at: limits.stampMin - 1 }).error?.code).toBe('clock_behind')
  })

  it('tells a clock that fell back from seconds and milliseconds, by their ranges', () => {
    const codes = (...stamps: readonly unknown[]) => [
      ...new Set(stamps.map((at) => decode({ ...good, at }).error?.code)),
    ]
    const day = 86_400_000
    const [first, last] = [limits.stampMin / 1000, noon / 1000 + day]
    const minute = 60_000_000
    // 1970, the epoch of GPS and that of many an old chip, the day before 2000; in microseconds.
    const behind = [0, 1, 999, minute, 12_000_000_000, 315_964_800_000_000, limits.stampMin - 1, -1, -minute]
    const [seconds, milliseconds] = [
      [first / 1000, noon / 1_000_000, last / 1000],
      [first, noon / 1000, last],
    ]
    expect(codes(...behind, first / 1000 - 1, last / 1000 + 1, first - 1, last + 1)).toEqual(['clock_behind'])
    expect(codes(...seconds, ...milliseconds)).toEqual(['invalid_stamp'])
    expect(codes(undefined, null, '1', 1.5, -0.5, Number.NaN, noon * 1000, [], {})).toEqual(['invalid_stamp'])
    for (const at of seconds) expect(decode({ ...good, at }).error?.detail).toMatch(/this is in seconds/)
    for (const at of milliseconds) expect(decode({ ...good, at }).error?.detail).toMatch(/this is in milliseconds/)
    expect(decode({ ...good, at: 0 }).error?.detail).toMatch(/Set the clock by "now" and stamp the change again/)
    expect(codes(-0)).toEqual(['clock_behind'])
  })

  it('measures a change at its limit and one byte past it', () => {
    const of = (length: number) => ({ table: 'all', op: 'put', id: '1', at: noon, row: { json: 'x'.repeat(length) } })
    const room = limits.changeBytesMax - JSON.stringify(of(0)).length
    expect(decode(of(room)).error).toBeUndefined()
    expect(decode(of(room + 1)).error?.code).toBe('too_large')
  })

  it('cuts the names it repeats', () => {
    expect(decode({ ...good, [`x${'y'.repeat(1000)}`]: 1 }).error?.detail.length).toBeLessThan(200)
  })
})

function nest(levels: number): unknown {
  return levels === 1 ? [] : [nest(levels - 1)]
}
