import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../../src/model/limits.ts'
import { describeApi } from '../../../src/openapi/document.ts'
import { createSync } from '../../../src/sync/create-sync.ts'
import { createContract } from '../../support/contract.ts'
import { alice, noon } from '../../support/sample.ts'
import { openTestStore, type TestStore } from '../../support/stores.ts'
import { wideSchema } from './wide.ts'

describe('the document and the server agree on which changes are right', () => {
  const contract = createContract(describeApi(wideSchema))
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore('libsql file', wideSchema)
  })
  afterAll(() => opened.close())

  /**
   * What becomes of each change, and whether the document takes it. The answer must be described in
   * any case.
   */
  async function judge(changes: readonly unknown[]): Promise<{ taken: boolean; valid: boolean; change: unknown }[]> {
    const sync = createSync({ schema: wideSchema, store: opened.store, now: () => noon / 1000 })
    // biome-ignore lint/suspicious/noExplicitAny: changes of any form
    const answer = await sync.sync(alice, { client: 'a', cursor: null, changes: changes as any })
    contract.mustFit({ $ref: '#/components/schemas/sync.answer' }, answer, 'sync')
    return answer.verdicts.map(({ verdict }, index) => ({
      taken: verdict !== 'rejected',
      valid: contract.isValid('change', changes[index]),
      change: changes[index],
    }))
  }
  const put = (row: object, id = 'x') => ({ table: 'wide', op: 'put', id, at: noon, row })

  const values = {
    short: ['', 'abc', '🙂🙂🙂', 'abcd', 1, true, [], {}],
    choice: ['a', 'b', 'c', '', 1],
    maybe: ['a', null, 'c'],
    integer_: [0, -1, 1.5, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 53, 1e300, '1', true],
    real_: [0, -1.5, 1e300, '1', null],
    decimal_: ['0', '-1.50', '0.0', '1e3', '01', '-0', '-0.0', '.5', '1.', '', 1.5, true],
    money_: ['999.99', '-0.01', '1000', '1.234', '0', null],
    boolean_: [true, false, 0, 'true'],
    json_: [{}, [], '', 0, false, { a: [null] }, [[[]]]],
    needed_json: [null, 1],
    timestamp_: [
      '2026-01-31T08:30:00.000Z',
      '2026-01-31T08:30:00Z',
      '2026-02-30T08:30:00.000Z',
      '2024-02-29T00:00:00.000Z',
      '0000-01-01T00:00:00.000Z',
      '2026-01-31T08:30:00.000+00:00',
      '2026-01-31T24:00:00.000Z',
      '2026-01-31T23:59:60.000Z',
      '2026-01-31t08:30:00.120000+05:30',
      '2026-01-31T08:30:00.1234Z',
      '2026-01-31T08:30:00',
      1,
    ],
    precise_: [
      '2026-01-31T08:30:00.123456Z',
      '2026-01-31T08:30:00-23:59',
      '2026-01-31T08:30:00.1234567Z',
      '2026-01-31',
    ],
    uuid_: ['01935f0c-7a30-7c4e-9d1e-3f2b6a5c8d10', '01935F0C-7A30-7C4E-9D1E-3F2B6A5C8D10', 'x', ''],
    bytes_: ['', 'QQ', 'QR', 'QUI', 'QUJD', 'QUJDQ', 'QQ==', 'Q Q', '-_-_', 'é'],
  }
  it.each(Object.entries(values))('on values of the column %s', async (column, some) => {
    for (const { taken, valid, change } of await judge(
      [...some, null].map((value, n) => put({ [column]: value }, `${n}`)),
    )) {
      expect(valid, JSON.stringify(change)).toBe(taken)
    }
  })

  const right = { ...put({}), row: { short: 'a' } }
  it.each<[string, readonly unknown[]]>([
    [
      'members',
      [{ ...right, more: 1 }, { ...right, by: 'a' }, { table: 'wide', op: 'delete', id: 'x' }, 5, null, [], 'x'],
    ],
    [
      'tables',
      ['wide', 'needed', 'Wide', '', null, 1, '__proto__'].map((table) => ({ ...right, table, row: { title: 'x' } })),
    ],
    ['ops', ['put', 'patch', 'delete', 'PUT', null].map((op) => ({ ...right, op }))],
    [
      'rows of a delete',
      [
        { ...right, op: 'delete' },
        { table: 'wide', op: 'delete', id: 'x', at: noon },
      ],
    ],
    [
      'rows of a put',
      [{}, { title: 'x' }, [], null, 'x', { title: 'x', more: 1 }, { title: null }].map((row) => ({
        ...right,
        table: 'needed',
        row,
      })),
    ],
    [
      'rows of a patch',
      [
        right,
        ...[{}, { short: 'b' }, { title: 'x' }, null, { choice: null }].map((row) => ({ ...right, op: 'patch', row })),
      ],
    ],
    [
      'ids',
      [
        'x',
        '',
        'x'.repeat(128),
        'x'.repeat(129),
        '🙂'.repeat(128),
        '🙂'.repeat(129),
        'a\nb',
        'a\u0000',
        'a\u007f',
        'a\u009f',
        'a\u00a0',
        1,
        null,
      ].map((id) => ({ ...right, id })),
    ],
    [
      'stamps',
      [noon, limits.stampMin, limits.stampMin - 1, 0, -1, 1.5, '1', null, 2 ** 53].map((at) => ({ ...right, at })),
    ],
    ['scopes', ['alice', 1, null, ''].map((scope) => ({ ...right, scope }))],
  ])('on %s', async (_, changes) => {
    for (const { taken, valid, change } of await judge(changes)) expect(valid, JSON.stringify(change)).toBe(taken)
  })

  const ruled = (op: string, row: object, more: object = {}) => ({
    ...{ table: 'ruled', op, id: 'r', at: noon, row },
    ...more,
  })
  const edits: readonly unknown[] = [
    ...[5, 0, -5, 1.5, 2 ** 53, '5', null, true, [], [1], {}],
    ...[{ add: 1 }, { add: -1 }, { add: 0 }, { add: 1.5 }, { add: '1' }, { add: null }, { add: [1] }, { add: 2 ** 53 }],
    ...[{ set: 5 }, { set: 0.5 }, { set: null }, { set: {} }, { add: 1, set: 1 }, { add: 1, x: 1 }, { inc: 1 }],
    JSON.parse('{"add":1,"__proto__":1}'),
  ]
  const seen: readonly unknown[] = [
    ...[null, 5, 'x', [], {}, { at: noon }, { by: 'a' }, { at: noon, by: null }, { at: '1', by: 'a' }],
    ...[
      { at: 0.5, by: 'a' },
      { at: noon, by: 'a b' },
      { at: noon, by: '' },
      { at: noon, by: 'a', position: 1 },
    ],
    JSON.parse(`{"at":${noon},"by":"a","__proto__":1}`),
  ]
  it.each<[string, readonly unknown[]]>([
    ['counters in a put', edits.map((stock, n) => ruled('put', { title: 'x', stock }, { id: `p${n}` }))],
    ['counters in a patch', [ruled('put', { title: 'x' }), ...edits.map((stock) => ruled('patch', { stock }))]],
    [
      'columns that the server fills',
      [
        ...['created_at', 'written_at', 'place'].flatMap((name) =>
          ['2026-01-31T08:30:00.000Z', 1, null].flatMap((value) => [
            ruled('put', { title: 'x', [name]: value }),
            ruled('patch', { title: 'x', [name]: value }),
          ]),
        ),
        { ...right, table: 'filled', row: {} },
        { ...right, table: 'filled', row: { at: '2026-01-31T08:30:00.000Z' } },
        { ...right, table: 'counted', row: {} },
      ],
    ],
    [
      'values that merge',
      [8, null, '8', { add: 1 }].flatMap((best) => [
        ruled('put', { title: 'x', best }),
        ruled('patch', { best }),
        ruled('patch', { made_by: best, least: best }),
      ]),
    ],
    [
      'create',
      [true, false, null, 1, 'true', {}].flatMap((create, n) => [
        ruled('patch', { title: 'x' }, { create, ...(create === true && { id: `c${n}` }) }),
        ruled('put', { title: 'x' }, { create }),
        { table: 'ruled', op: 'delete', id: 'none', at: noon - 1, create },
      ]),
    ],
    [
      'if',
      seen.flatMap((one, n) => [
        ruled('put', { title: 'x' }, { id: `i${n}`, if: one }),
        ruled('patch', { title: 'x' }, { if: one }),
        { table: 'ruled', op: 'delete', id: `i${n}`, at: noon, if: one },
      ]),
    ],
  ])('on %s', async (_, changes) => {
    for (const { taken, valid, change } of await judge(changes)) expect(valid, JSON.stringify(change)).toBe(taken)
  })

  it('describes what a server of these rules answers: rows, what lost, and the row that is not as it was seen', async () => {
    const sync = createSync({ schema: wideSchema, store: opened.store, now: () => noon / 1000 })
    const answers = []
    for (const changes of [
      [ruled('put', { title: 'x', stock: 5 }), { table: 'counted', op: 'put', id: 'r', at: noon, row: {} }],
      [ruled('put', { title: 'old', best: 9 }, { at: noon - 1 }), ruled('patch', { stock: { set: 2 } })],
      [ruled('patch', { title: 'y' }, { at: noon + 1, if: { at: noon - 9, by: 'a' } })],
      [{ table: 'ruled', op: 'delete', id: 'r', at: noon + 2, if: { at: noon, by: 'a' } }],
    ]) {
      // biome-ignore lint/suspicious/noExplicitAny: changes of any form
      const request = { client: 'a', cursor: null, changes: changes as any }
      const answer = await sync.sync({ subject: 'ruled', scopes: new Map([['ruled', 'write']]) }, request)
      contract.mustFit({ $ref: '#/components/schemas/sync.answer' }, answer, 'sync')
      answers.push(...answer.verdicts)
    }
    expect(answers).toMatchObject([
      { verdict: 'applied', action: 'inserted', current: { row: { title: 'x', stock: 5, best: 0 } } },
      { verdict: 'applied', action: 'inserted', current: { row: { likes: 0 } } },
      { verdict: 'applied', lost: ['title'], current: { row: { title: 'x', best: 9 } } },
      { verdict: 'applied', current: { row: { stock: 2 } } },
      { verdict: 'rejected', error: { code: 'changed' }, current: { row: { title: 'x' } } },
      { verdict: 'applied', action: 'deleted' },
    ])
  })

  it('but for what a schema cannot say, which only the server refuses', async () => {
    const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)])
    const inexpressible = [
      put({ short: '\ud800' }),
      put({ json_: 2 ** 53 }),
      put({ timestamp_: '9999-12-31T23:59:59-01:00' }),
      put({ json_: deep(limits.jsonDepthMax + 1) }),
      put({ json_: '\u0000' }),
      put({ json_: 'x'.repeat(limits.changeBytesMax) }),
      { ...right, at: noon + limits.clockDriftMsMax * 1000 + 1 },
      { ...right, scope: 'of another' },
      { ...right, op: 'patch', id: 'never seen' },
    ]
    for (const { taken, valid } of await judge(inexpressible)) expect([valid, taken]).toEqual([true, false])
  })

  it('on changes of any members', async () => {
    const cell = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(values).flat()))
    const odd = fc.dictionary(fc.constantFrom(...Object.keys(values), 'title', 'more'), cell, { maxKeys: 3 })
    const ofColumns = Object.entries(values).map(([name, some]) => [name, fc.constantFrom(...some.slice(0, 2))])
    const likely = fc.record(Object.fromEntries(ofColumns), { requiredKeys: [] })
    const often = <T>(usual: T, other: fc.Arbitrary<unknown>) =>
      fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other })
    const change = fc
      .record({
        table: often('wide', fc.constantFrom('needed', 'other')),
        op: fc.constantFrom('put', 'put', 'patch', 'delete'),
        id: often('x', fc.string()),
        at: often(noon, fc.integer()),
        row: fc.oneof(likely, odd),
        more: often(undefined, fc.constant(1)),
      })
      .map(({ more, row, ...rest }) => ({ ...rest, ...(rest.op !== 'delete' && { row }), ...(more ? { more } : {}) }))
    let taken = 0
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 100, maxLength: 300, size: 'max' }), async (changes) => {
        for (const one of await judge(changes)) {
          if (one.taken) expect(one.valid, JSON.stringify(one.change)).toBe(true)
          if (one.taken) taken++
        }
      }),
      { numRuns: 20 },
    )
    expect(taken).toBeGreaterThan(50)
  })
})
