import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { boolean, bytes, counter, integer, json, real, text, timestamp, uuid } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { byColumn } from '../../src/model/table.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, syncToJson } from '../../src/wire/answer.ts'
import { decodeRequest } from '../../src/wire/request.ts'
import { noon, principal } from '../support/sample.ts'
import { allStoreNames, openTestStore, type TestStore } from '../support/stores.ts'

const nullable = { nullable: true } as const
const columns = {
  name: text({ default: '' }),
  stock: counter(),
  best: integer({ merge: 'max', default: 0 }),
  least: real({ merge: 'min', ...nullable }),
  seen_at: timestamp({ merge: 'max', ...nullable }),
  first: text({ merge: 'once', ...nullable }),
  first_json: json({ merge: 'once', ...nullable }),
  first_bytes: bytes({ merge: 'once', ...nullable }),
  made_at: timestamp({ filled: 'created' }),
  place: integer({ filled: 'created' }),
  written_at: timestamp({ filled: 'written' }),
}
const unique = { unique: true, ...nullable } as const
const schema = defineSchema(
  {
    things: byColumn(columns),
    posts: columns,
    needy: byColumn({ title: text(), first: text({ merge: 'once' }), best: integer({ merge: 'max' }), n: counter() }),
    keys: byColumn({
      ...{ t: text(unique), i: integer(unique), r: real(unique), b: boolean(unique) },
      ...{ at: timestamp(unique), u: uuid(unique), y: bytes(unique), n: counter() },
    }),
    pairs: { a: text(nullable), b: text(nullable) },
  },
  { unique: { pairs: [['a', 'b']] } },
)
const ruled = ['things', 'posts'] as const

interface Verdict {
  readonly verdict: string
  readonly error?: { readonly code: string }
}

/** A number as it stands in JSON, which `JSON.stringify` would not write. */
const asIs = (text: string) => `as is ${text}`
const unquoted = (body: unknown) => JSON.stringify(body).replaceAll(/"as is ([^"]*)"/g, '$1')

const big = 2 ** 53
const noEdits: readonly unknown[] = [
  ...[{}, [], [1], '', '5', 'NaN', true, null, 1.5, big, -big, asIs('1e999'), asIs('-1e999')],
  ...['1', '', 1.5, null, true, [], [1], {}, { add: 1 }, big, -big, asIs('1e999'), asIs('9007199254740993')].flatMap(
    (n) => [{ add: n }, { set: n }],
  ),
  ...[{ add: 1, set: 1 }, { add: 1, x: 1 }, { Add: 1 }, { ADD: 1 }, { 'add ': 1 }, { toString: 1 }, { constructor: 1 }],
  ...[JSON.parse('{"__proto__":{"add":1}}'), JSON.parse('{"__proto__":1,"add":1}'), [{ add: 1 }], { sub: 1 }, 'add'],
]

describe.each(allStoreNames)('hostile changes of tables with rules, on %s', (name) => {
  let opened: TestStore
  let scopes = 0
  beforeAll(async () => {
    opened = await openTestStore(name, schema)
  })
  afterAll(() => opened.close())

  /** A scope of its own, with a row x in each table. */
  async function openScope() {
    const who = principal(`u${++scopes}`)
    const operations = createOperations({ schema, store: opened.store, now: () => noon / 1000 + 3_600_000 })
    let at = noon
    const change = (table: string, op: string, row: unknown, more: object = {}) => ({
      ...{ table, op, id: 'x', at: ++at, row, ...more },
    })
    async function push(...changes: readonly object[]): Promise<string[]> {
      const body = JSON.parse(unquoted({ client: 'a', changes }))
      const { verdicts } = JSON.parse(syncToJson(await operations.push(who, decodeRequest(body, 'sync')))) as {
        verdicts: Verdict[]
      }
      return verdicts.map(({ verdict, error }) => error?.code ?? verdict)
    }
    async function rows(): Promise<Record<string, Record<string, unknown>>> {
      const page = await operations.pull(who, { cursor: null, limit: 5_000, columns: 'all' })
      const { changes } = JSON.parse(pullToJson(page)) as {
        changes: { table: string; id: string; row: Record<string, unknown> }[]
      }
      return Object.fromEntries(changes.map(({ table, id, row }) => [`${table} ${id}`, row]))
    }
    await push(...ruled.map((table) => change(table, 'put', {})))
    return { push, rows, change }
  }
  const all = (verdict: string, count: number) => Array.from({ length: count }, () => verdict)

  it('P12 what is no add and no set of a counter is refused alone, in a put, a patch and one that creates', async () => {
    const { push, rows, change } = await openScope()
    const before = await rows()
    for (const table of ruled) {
      const bad = (op: string, more: object = {}) => noEdits.map((stock) => change(table, op, { stock }, more))
      const bare = [5, 0, -1, big - 1].map((stock) => change(table, 'patch', { stock }))
      const changes = [...bad('put'), ...bad('patch'), ...bad('patch', { create: true }), ...bare]
      expect(await push(...changes)).toEqual(all('invalid_value', changes.length))
    }
    expect(await rows()).toEqual(before)
    const [good, add] = [
      change('posts', 'patch', { stock: { add: 2 } }),
      change('things', 'patch', { stock: { add: 3 } }),
    ]
    const worse = noEdits.map((stock) => change('things', 'patch', { stock }))
    expect(await push(good, ...worse, add)).toEqual(['applied', ...all('invalid_value', worse.length), 'applied'])
    expect(await rows()).toMatchObject({ 'posts x': { stock: 2 }, 'things x': { stock: 3 } })
  })

  it('P12 an add of what is no counter, and anything of a filled column, is refused alone', async () => {
    const { push, rows, change } = await openScope()
    for (const table of ruled) {
      const names = ['name', 'best', 'least', 'seen_at', 'first', 'first_bytes', 'made_at', 'place', 'written_at']
      const added = names.flatMap((column) =>
        [{ add: 1 }, { set: 1 }, {}, []].map((value) => change(table, 'patch', { [column]: value })),
      )
      const filled = ['made_at', 'place', 'written_at'].flatMap((column) =>
        [null, 0, 1, '', '2026-01-01T00:00:00Z', 'now()'].map((value) => change(table, 'put', { [column]: value })),
      )
      expect(await push(...added, ...filled)).toEqual(all('invalid_value', added.length + filled.length))
      // Of JSON it is a value like any.
      expect(await push(change(table, 'patch', { first_json: { add: 1 } }))).toEqual(['applied'])
      expect((await rows())[`${table} x`]).toMatchObject({ first_json: { add: 1 }, stock: 0, best: 0 })
    }
  })

  it('P12 a counter stays within the safe integers, and an add that would leave them is refused alone', async () => {
    const { push, rows, change } = await openScope()
    const add = (n: number) => change('things', 'patch', { stock: { add: n } })
    const stock = async () => (await rows())['things x']?.stock
    expect(await push(add(0), add(-0), change('things', 'patch', { stock: { add: asIs('-0') } }))).toEqual([
      ...all('applied', 3),
    ])
    expect(await push(add(big - 1))).toEqual(['applied'])
    expect(await push(add(1))).toEqual(['constraint'])
    // What one change set adds to a row is one sum.
    expect(await push(add(1), add(-2), add(0))).toEqual(['applied', 'applied', 'applied'])
    expect(await stock()).toBe(big - 2)
    expect(await push(change('things', 'patch', { stock: { set: 1 - big } }))).toEqual(['applied'])
    expect(await push(add(-1))).toEqual(['constraint'])
    expect(await push(change('things', 'patch', { stock: { add: asIs('1e3') } }))).toEqual(['applied'])
    expect(await stock()).toBe(1001 - big)
    // One that is sent again once there is room counts.
    const late = add(big - 1)
    expect(await push(change('things', 'patch', { stock: { set: 1 } }), late)).toEqual(['applied', 'applied'])
    expect(await push(late)).toEqual(['duplicate'])
  })

  it('odd values of max, min and once: what is no value of the column is refused alone, and the others meet', async () => {
    const { push, rows, change } = await openScope()
    const refused: Record<string, readonly unknown[]> = {
      best: [null, '', '5', 'NaN', true, 1.5, big, -big, asIs('1e999'), asIs('9007199254740993'), '\u0661'],
      least: ['', '0.5', 'NaN', 'Infinity', '-0', true, asIs('1e999'), asIs('-1e999')],
      seen_at: ['', 'now', '2026-02-30T00:00:00Z', '2026-01-01', '2026-01-01T00:00:00', 0, true, 'infinity'],
      first: ['a\0b', '\ud800', '\udc00x', 0, true],
      first_bytes: ['=', 'A', 'AA==', '+/', 'é', 0],
    }
    for (const table of ruled) {
      const changes = Object.entries(refused).flatMap(([column, values]) =>
        values.map((value) => change(table, 'patch', { [column]: value })),
      )
      expect(await push(...changes)).toEqual(all('invalid_value', changes.length))
      const one = (column: string, ...values: readonly unknown[]) =>
        values.map((value) => change(table, 'patch', { [column]: value }))
      const each = async (...some: readonly object[]) => {
        const verdicts: string[] = []
        for (const change of some) verdicts.push(...(await push(change)))
        return verdicts
      }
      expect(await each(...one('best', asIs('-0'), 0, -1, big - 1, 1 - big, big - 1))).toEqual([
        ...['duplicate', 'duplicate', 'stale', 'applied', 'stale', 'duplicate'],
      ])
      expect(
        await each(...one('least', null, 0, asIs('-0'), asIs('-0.0'), null, 5e-324, -5e-324, -1.7e308, 0.1)),
      ).toEqual([
        ...['duplicate', 'applied', 'duplicate', 'duplicate', 'duplicate', 'stale', 'applied', 'applied', 'stale'],
      ])
      const times = [
        '2026-01-01T00:00:00Z',
        '2026-01-01T01:00:00+01:00',
        '2025-12-31T23:59:59.999Z',
        '9999-12-31T23:59:59Z',
      ]
      expect(await each(...one('seen_at', ...times, null))).toEqual([
        ...['applied', 'duplicate', 'stale', 'applied', 'duplicate'],
      ])
      // An empty text is a value. Normal forms are two.
      expect(await each(...one('first', null, '', '', 'x', null))).toEqual([
        ...['duplicate', 'applied', 'duplicate', 'stale', 'duplicate'],
      ])
      expect(await each(...one('first_bytes', '', '', 'AA'))).toEqual(['applied', 'duplicate', 'stale'])
      const odd = { a: ['é', null, -1.5, { b: '' }], c: false }
      expect(await each(...one('first_json', odd, odd, { a: 1 }, 0, false, ''))).toEqual([
        ...['applied', 'duplicate', 'stale', 'stale', 'stale', 'stale'],
      ])
      const words = ['é', 'e\u0301', 'É', 'é ', 'é']
      const other = words.map((first) => ({ ...change(table, 'patch', { first }, { create: true }), id: 'y' }))
      expect(await each(...other)).toEqual(['applied', 'stale', 'stale', 'stale', 'duplicate'])
      const falsy = [0, false, '', []].map((first_json, n) => ({
        ...change(table, 'put', { first_json }),
        id: `f${n}`,
      }))
      const truthy = falsy.map(({ id }) => ({ ...change(table, 'patch', { first_json: 1 }), id }))
      expect(await push(...falsy, ...truthy)).toEqual([...all('applied', 4), ...all('stale', 4)])
      const held = await rows()
      expect(held[`${table} x`]).toMatchObject({
        ...{ best: big - 1, least: -1.7e308, seen_at: '9999-12-31T23:59:59.000Z', first: '' },
        ...{ first_bytes: '', first_json: odd },
      })
      expect([0, 1, 2, 3].map((n) => held[`${table} f${n}`]?.first_json)).toEqual([0, false, '', []])
    }
  })

  it('P12 "if" and "create" of odd shapes are refused alone, and a patch that creates names what it lacks', async () => {
    const { push, rows, change } = await openScope()
    const shapes: readonly unknown[] = [
      ...[
        null,
        [],
        {},
        '',
        'x',
        0,
        1,
        true,
        false,
        [noon, 'a'],
        { at: noon },
        { by: 'a' },
        { at: String(noon), by: 'a' },
      ],
      ...[
        { at: 1.5, by: 'a' },
        { at: big, by: 'a' },
        { at: null, by: 'a' },
        { at: noon, by: '' },
        { at: noon, by: null },
      ],
      ...[
        { at: noon, by: 'a', x: 1 },
        { at: noon, by: 'a'.repeat(65) },
        { at: noon, by: "a' OR '1'='1" },
        { at: noon, by: 'é' },
      ],
      ...[
        JSON.parse(`{"__proto__":1,"at":${noon},"by":"a"}`),
        { at: { at: noon }, by: 'a' },
        { at: asIs('1e999'), by: 'a' },
      ],
    ]
    for (const table of ruled) {
      for (const op of ['put', 'patch', 'delete']) {
        const changes = shapes.map((seen) => ({
          ...change(table, op, op === 'delete' ? undefined : { name: 'z' }),
          if: seen,
        }))
        expect(await push(...changes)).toEqual(all('invalid_change', changes.length))
      }
      const others = [
        { at: 0, by: 'a' },
        { at: -1, by: 'a' },
        { at: noon + 1, by: 'A' },
        { at: big - 1, by: 'a' },
      ]
      const seen = others.map((one) => change(table, 'patch', { name: 'z', stock: { add: 1 } }, { if: one }))
      expect(await push(...seen)).toEqual(all('changed', seen.length))
    }
    const creates = [null, 0, 1, '', 'true', [], {}].map((create) =>
      change('needy', 'patch', { title: 't' }, { create }),
    )
    expect(await push(...creates)).toEqual(all('invalid_change', creates.length))
    const notOfPatch = ['put', 'delete'].map((op) =>
      change('things', op, op === 'put' ? {} : undefined, { create: true }),
    )
    expect(await push(...notOfPatch)).toEqual(['invalid_change', 'invalid_change'])
    const lacking = [{ n: { add: 1 } }, { title: 't' }, { title: 't', first: 'f' }, { first: 'f', best: 1 }]
    expect(await push(...lacking.map((row) => change('needy', 'patch', row, { create: true })))).toEqual(
      all('missing_column', lacking.length),
    )
    const whole = { title: 't', first: 'f', best: 1, n: { add: 1 } }
    expect(await push(change('needy', 'patch', whole, { create: false }))).toEqual(['row_missing'])
    expect(await push(change('needy', 'patch', whole, { create: true }))).toEqual(['applied'])
    expect(await rows()).toMatchObject({ 'needy x': { ...whole, n: 1 }, 'things x': { name: '', stock: 0 } })
  })

  it('P12 keys of each type are equal where their values are, and not by case, spaces or normal form', async () => {
    const { push, change } = await openScope()
    const same: Record<string, readonly (readonly unknown[])[]> = {
      t: [
        ['a', 'a'],
        ['', ''],
        ['😀', '😀'],
        [' a', ' a'],
      ],
      i: [
        [1, 1],
        [0, asIs('-0')],
        [big - 1, big - 1],
        [100, asIs('1e2')],
      ],
      r: [
        [1.5, 1.5],
        [0, asIs('-0.0')],
        [5e-324, 5e-324],
        [1, asIs('1.0')],
      ],
      b: [
        [true, true],
        [false, false],
      ],
      at: [
        ['2026-01-01T00:00:00Z', '2026-01-01T01:00:00+01:00'],
        ['2026-01-01T00:00:00.1Z', '2026-01-01T00:00:00.100Z'],
      ],
      u: [['01935f0c-0000-7000-8000-000000000001', '01935f0c-0000-7000-8000-000000000001']],
      y: [
        ['', ''],
        ['AA', 'AA'],
        ['_-8', '_-8'],
      ],
    }
    const other: Record<string, readonly unknown[]> = {
      t: [
        'b',
        'B',
        'b ',
        ' b',
        '\tb',
        'é',
        'e\u0301',
        'É',
        'ß',
        'ss',
        'İ',
        'i',
        'ﬁ',
        'fi',
        'b\u200b',
        '1',
        '1.0',
        'null',
        null,
      ],
      i: [2, -2, 3, big - 2, null],
      r: [2, 2.0000000000000004, 0.3, 0.30000000000000004, -5e-324, null],
      at: ['2027-01-01T00:00:00Z', '2027-01-01T00:00:00.001Z', null],
      u: ['01935f0c-0000-7000-8000-000000000002', null],
      y: ['AQ', 'AAA', 'AAAA', null],
    }
    let ids = 0
    const put = (column: string, value: unknown) => ({ ...change('keys', 'put', { [column]: value }), id: `k${++ids}` })
    for (const [column, pairs] of Object.entries(same)) {
      for (const [first, second] of pairs) {
        const [one, two] = [put(column, first), put(column, second)]
        // In one change set, and behind it: as a put, and as a patch with an add of a row that lives.
        expect(await push(one, two), `${column} ${JSON.stringify([first, second])}`).toEqual(['applied', 'key_taken'])
        expect(await push(put(column, second))).toEqual(['key_taken'])
        const lives = put(column, null)
        const patch = { ...change('keys', 'patch', { [column]: second, n: { add: 1 } }), id: lives.id }
        expect(await push(lives, patch)).toEqual(['applied', 'key_taken'])
        expect(await push({ ...patch, at: patch.at + 1000 })).toEqual(['key_taken'])
        expect(await push({ ...change('keys', 'put', { [column]: second }), id: one.id })).toEqual(['applied'])
      }
    }
    for (const [column, values] of Object.entries(other)) {
      const changes = [...values, null].map((value) => put(column, value))
      expect(await push(...changes), column).toEqual(all('applied', changes.length))
    }
    const pairs: readonly (readonly unknown[])[] = [
      ...[
        ['a', 'b'],
        ['b', 'a'],
        ['ab', ''],
        ['', 'ab'],
        ['a', ''],
        ['a', null],
        ['a', null],
        [null, 'b'],
        [null, 'b'],
      ],
      ...[
        [null, null],
        [null, null],
        ['A', 'b'],
        ['a ', 'b'],
        ['a","b', 'c'],
        ['a', 'b","c'],
      ],
    ]
    const pair = ([a, b]: readonly unknown[]) => ({ ...change('pairs', 'put', { a, b }), id: `p${++ids}` })
    expect(await push(...pairs.map(pair))).toEqual(all('applied', pairs.length))
    const twice = pairs.filter((values) => !values.includes(null))
    expect(await push(...twice.map(pair))).toEqual(all('key_taken', twice.length))
  })

  it('P5 P12 ten thousand changes of one row end as one by one, and again change nothing', async () => {
    const { push, rows, change } = await openScope()
    const [edits, count] = [
      [
        { stock: { add: 1 } },
        { name: 'n', best: 3 },
        { stock: { add: -2 }, first: 'f' },
        { least: 0.5, name: 'm' },
        { stock: { add: 3 } },
      ],
      5_000,
    ]
    const changes = Array.from({ length: count }, (_, n) => change('things', 'patch', edits[n % edits.length]))
    const more = Array.from({ length: count }, (_, n) =>
      change('things', 'patch', { stock: { add: n % 2 ? 1 : -1 }, best: n }),
    )
    const verdicts = [...(await push(...changes)), ...(await push(...more))]
    expect(new Set(verdicts)).toEqual(new Set(['applied']))
    const left = { stock: 2 * (count / 5), name: 'm', best: count - 1, least: 0.5, first: 'f' }
    const row = (await rows())['things x']
    expect(row).toMatchObject(left)
    const again = [...(await push(...more)), ...(await push(...changes))]
    expect(again).not.toContain('applied')
    expect((await rows())['things x']).toEqual(row)
  })
})
