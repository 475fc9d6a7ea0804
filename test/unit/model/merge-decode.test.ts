import { describe, expect, it } from 'vitest'
import { decodeChange } from '../../../src/model/change.ts'
import { counter, integer, text, timestamp } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { parseExact } from '../../../src/model/exact.ts'
import { byColumn } from '../../../src/model/table.ts'
import { noon } from '../../support/sample.ts'

const schema = defineSchema({
  products: byColumn({
    name: text(),
    note: text({ nullable: true }),
    stock: counter(),
    best: integer({ merge: 'max', default: 0 }),
    created_at: timestamp({ filled: 'created' }),
    place: integer({ filled: 'created' }),
  }),
})
const context = { schema, now: noon, clockDriftMsMax: 300_000, measure: true }
const decode = (input: unknown, more: object = {}) => decodeChange(input, 0, { ...context, ...more })
const put = (row: object, more: object = {}) => ({ table: 'products', op: 'put', id: '1', at: noon, row, ...more })
const patch = (row: object, more: object = {}) => ({ ...put(row, more), op: 'patch' })
const del = (more: object) => ({ table: 'products', op: 'delete', id: '1', at: noon, ...more })
const json = (literal: string) => parseExact(literal)

const edits = '{"add": …} or {"set": …}'
const safe = 'an integer between -(2^53 - 1) and 2^53 - 1'

describe('what is wrong with a counter', () => {
  const everywhere: [string, unknown, string][] = [
    ['both', { add: 1, set: 1 }, `${edits} and nothing else`],
    ['a member more', { add: 1, at: 1 }, `${edits} and nothing else`],
    ['__proto__ beside', json('{"add":1,"__proto__":1}'), `${edits} and nothing else`],
    ['__proto__ alone', json('{"__proto__":{"add":1}}'), `${edits} and nothing else`],
    ['constructor', { constructor: 1 }, `${edits} and nothing else`],
    ['neither', {}, `${edits} and nothing else`],
    ['another word', { increment: 1 }, `${edits} and nothing else`],
    ['an add with a fraction', { add: 0.5 }, `{"add": …} with ${safe}`],
    ['an add of 2^53', { add: 2 ** 53 }, `{"add": …} with ${safe}`],
    ['an add of more digits', json('{"add":9007199254740993}'), `{"add": …} with ${safe}`],
    ['an add of text', { add: '1' }, `{"add": …} with ${safe}`],
    ['an add of null', { add: null }, `{"add": …} with ${safe}`],
    ['an add of a list', { add: [1] }, `{"add": …} with ${safe}`],
    ['a set of an edit', { set: { add: 1 } }, `{"set": …} with ${safe}`],
    ['a set with a fraction', { set: 1.5 }, `{"set": …} with ${safe}`],
    ['a set of -2^53', { set: -(2 ** 53) }, `{"set": …} with ${safe}`],
    ['a set of null', { set: null }, `{"set": …} with ${safe}`],
  ]
  const bare: [string, unknown][] = [
    ['text', '5'],
    ['true', true],
    ['a list', [{ add: 1 }]],
    ['an empty list', []],
    ['a fraction', 1.5],
    ['2^53', 2 ** 53],
    ['more digits', json('9007199254740993')],
  ]
  it.each(everywhere)('P12 %s is refused in a put and in a patch, and in a patch that may create', (_, stock, must) => {
    for (const change of [put({ name: 'n', stock }), patch({ stock }), patch({ name: 'n', stock }, { create: true })])
      expect(decode(change).error).toEqual({
        ...{ code: 'invalid_value', retryable: false },
        detail: `products.stock must be ${must}.`,
      })
  })
  it.each(bare)('P12 %s is refused, and told what a put and what a patch may have', (_, stock) => {
    expect(decode(put({ name: 'n', stock })).error?.detail).toBe(
      `products.stock must be ${safe}, which a new row begins with, or ${edits}.`,
    )
    const why = typeof stock === 'number' ? ': a bare number would undo what others have added' : ''
    expect(decode(patch({ stock })).error?.detail).toBe(`products.stock must be ${edits}${why}.`)
  })
  it('P12 a bare number is for a put alone, and null for none', () => {
    expect(decode(put({ name: 'n', stock: 5 })).change?.values[2]).toBe(5)
    expect(decode(patch({ stock: 5 })).error).toMatchObject({ code: 'invalid_value', detail: /undo what others/ })
    for (const change of [put({ name: 'n', stock: null }), patch({ stock: null })])
      expect(decode(change).error?.detail).toBe('products.stock must not be null.')
  })
  it('takes every right form', () => {
    for (const stock of [{ add: 1 }, { add: -(2 ** 53 - 1) }, { add: 0 }, { set: 2 ** 53 - 1 }, { set: 0 }]) {
      expect(decode(put({ name: 'n', stock })).change?.values[2]).toEqual(stock)
      expect(decode(patch({ stock })).change?.values).toEqual([
        undefined,
        undefined,
        stock,
        ...Array(3).fill(undefined),
      ])
    }
    expect(decode(put({ name: 'n' })).change?.values).toEqual(['n', null, 0, 0, null, null])
  })
  it('an edit is for a counter alone', () => {
    for (const change of [
      put({ name: 'n', best: { add: 1 } }),
      patch({ best: { set: 1 } }),
      patch({ name: { add: 1 } }),
    ])
      expect(decode(change).error?.code).toBe('invalid_value')
  })
})

describe('columns that the server fills', () => {
  it.each([
    ['created_at', '2026-01-31T08:30:00.000Z'],
    ['created_at', null],
    ['place', 1],
    ['place', 'x'],
  ])('P12 %s is refused in a put, in a patch and in one that may create', (name, value) => {
    for (const change of [
      put({ name: 'n', [name]: value }),
      patch({ name: 'n', [name]: value }),
      patch({ [name]: value }),
      patch({ name: 'n', [name]: value }, { create: true }),
    ])
      expect(decode(change).error).toEqual({
        ...{ code: 'invalid_value', retryable: false },
        detail: `products.${name} is filled by the server: leave it out.`,
      })
  })
  it('are passed over in a line as it was pulled, whatever stands in them', () => {
    const row = { name: 'n', created_at: 'x', place: 7 }
    expect(decode(put(row, { by: 'a', position: 7 }), { pulled: true }).change?.values).toEqual(
      decode(put({ name: 'n' })).change?.values,
    )
  })
})

describe('create', () => {
  const fault = { code: 'invalid_change', detail: '"create" must be true or false, and belongs to a patch.' }
  it.each([1, 0, null, 'true', {}, []])('P12 %j is refused', (create) => {
    for (const change of [patch({ name: 'n' }, { create }), put({ name: 'n' }, { create }), del({ create })])
      expect(decode(change).error).toMatchObject(fault)
  })
  it('P12 belongs to a patch, true or false', () => {
    for (const create of [true, false])
      for (const change of [put({ name: 'n' }, { create }), del({ create })])
        expect(decode(change).error).toMatchObject(fault)
    const made = decode(patch({ name: 'n', stock: { add: 2 } }, { create: true })).change
    expect(made?.created).toEqual(['n', null, { add: 2 }, 0, null, null])
    expect(decode(patch({ name: 'n' }, { create: false })).change).toEqual(decode(patch({ name: 'n' })).change)
  })
  it('P12 a patch that lacks what a new row needs is told so', () => {
    expect(decode(patch({ note: 'x' }, { create: true })).error).toEqual({
      ...{ code: 'missing_column', retryable: false },
      detail: 'A patch with "create" must hold all that a new row needs. A put into products needs the column name.',
    })
  })
})

describe('if', () => {
  const seen: [string, unknown][] = [
    ['null', null],
    ['a number', noon],
    ['text', 'a'],
    ['a list', [noon, 'a']],
    ['true', true],
    ['an empty one', {}],
    ['one without by', { at: noon }],
    ['one without at', { by: 'a' }],
    ['by null', { at: noon, by: null }],
    ['at null', { at: null, by: 'a' }],
    ['at as text', { at: String(noon), by: 'a' }],
    ['at with a fraction', { at: noon + 0.5, by: 'a' }],
    ['at of 2^53', { at: 2 ** 53, by: 'a' }],
    ['at of more digits', json('{"at":9007199254740993,"by":"a"}')],
    ['by empty', { at: noon, by: '' }],
    ['by no client', { at: noon, by: 'a b' }],
    ['by too long', { at: noon, by: 'a'.repeat(65) }],
    ['a member more', { at: noon, by: 'a', position: 1 }],
    ['__proto__ beside', json(`{"at":${noon},"by":"a","__proto__":1}`)],
    ['__proto__ alone', json(`{"__proto__":{"at":${noon},"by":"a"}}`)],
  ]
  it.each(seen)('P12 %s is refused of every op', (_, one) => {
    for (const change of [put({ name: 'n' }, { if: one }), patch({ name: 'n' }, { if: one }), del({ if: one })])
      expect(decode(change).error).toEqual({
        ...{ code: 'invalid_change', retryable: false },
        detail: '"if" must be {"at": …, "by": …}, the stamp of the row as it was pulled.',
      })
  })
  it('is taken of every op', () => {
    const one = { at: noon, by: 'phone-1' }
    for (const change of [
      put({ name: 'n' }, { if: one }),
      patch({ name: 'n' }, { if: one, create: true }),
      del({ if: one }),
    ])
      expect(decode(change).change?.if).toEqual(one)
  })
})
