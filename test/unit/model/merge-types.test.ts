import { describe, expect, expectTypeOf, it } from 'vitest'
import { counter, integer, json, text, timestamp } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { byColumn, type PatchRow, type PutRow, type Row } from '../../../src/model/table.ts'
import type { ChangeInput, ChangeVerdict, StoredChange } from '../../../src/sync/create-sync.ts'
import type { WebhookChange } from '../../../src/webhooks/in/mapping.ts'

const schema = defineSchema({
  products: byColumn({
    name: text(),
    price: integer({ nullable: true }),
    stock: counter(),
    best: integer({ merge: 'max', default: 0 }),
    made_by: text({ merge: 'once', nullable: true }),
    created_at: timestamp({ filled: 'created' }),
    written_at: timestamp({ filled: 'written' }),
    place: integer({ filled: 'created' }),
  }),
  posts: { title: text(), likes: counter() },
})
type Shop = typeof schema
type Put = PutRow<Shop, 'products'>
type Patch = PatchRow<Shop, 'products'>

describe('the types of columns that merge', () => {
  it('a row has every column, a counter as a number, whether by column or not', () => {
    expectTypeOf<Row<Shop, 'products'>>().toEqualTypeOf<{
      name: string
      price: number | null
      stock: number
      best: number
      made_by: string | null
      created_at: string
      written_at: string
      place: number
    }>()
    expectTypeOf<Row<Shop, 'posts'>>().toEqualTypeOf<{ title: string; likes: number }>()
  })

  it('a put takes a number, an add or a set of a counter, a patch an add or a set', () => {
    const puts: Put[] = [
      { name: 'n' },
      { name: 'n', stock: 5 },
      { name: 'n', stock: { add: 5 } },
      { name: 'n', stock: { set: 5 }, best: 3, made_by: null },
    ]
    const patches: Patch[] = [{ stock: { add: -1 } }, { stock: { set: 0 }, price: 1 }, {}]
    const likes: PatchRow<Shop, 'posts'> = { likes: { add: 1 } }
    expect([...puts, ...patches, likes]).toHaveLength(8)
  })

  it('and nothing else', () => {
    const wrong: [Put[], Patch[]] = [
      [
        // @ts-expect-error the name is missing
        { stock: 5 },
        // @ts-expect-error a counter is never null
        { name: 'n', stock: null },
        // @ts-expect-error no text
        { name: 'n', stock: '5' },
        // @ts-expect-error one of both
        { name: 'n', stock: { add: 1, set: 1 } },
        // @ts-expect-error neither
        { name: 'n', stock: {} },
        // @ts-expect-error only a counter is added to
        { name: 'n', best: { add: 1 } },
        // @ts-expect-error only a counter is added to
        { name: { add: 1 } },
        // @ts-expect-error the server fills it
        { name: 'n', created_at: '2026-01-31T08:30:00.000Z' },
        // @ts-expect-error the server fills it
        { name: 'n', place: 1 },
      ],
      [
        // @ts-expect-error a bare number would undo the adds of others
        { stock: 5 },
        // @ts-expect-error one of both
        { stock: { add: 1, set: 1 } },
        // @ts-expect-error another word
        { stock: { inc: 1 } },
        // @ts-expect-error only a counter is added to
        { price: { add: 1 } },
        // @ts-expect-error the server fills it
        { written_at: '2026-01-31T08:30:00.000Z' },
        // @ts-expect-error the server fills it, null too
        { place: null },
      ],
    ]
    expect(wrong.flat()).toHaveLength(15)
  })

  it('create belongs to a patch, if to every op', () => {
    const [head, seen] = [{ table: 'posts', id: '1', at: 1 } as const, { at: 1, by: 'a' }]
    const right: ChangeInput<Shop>[] = [
      { ...head, op: 'put', row: { title: 't' }, if: seen },
      { ...head, op: 'patch', row: { likes: { add: 1 } }, create: true, if: seen },
      { ...head, op: 'delete', if: seen },
    ]
    const wrong: ChangeInput<Shop>[] = [
      // @ts-expect-error create belongs to a patch
      { table: 'posts', id: '1', at: 1, op: 'put', row: { title: 't' }, create: true },
      // @ts-expect-error create belongs to a patch
      { table: 'posts', id: '1', at: 1, op: 'delete', create: true },
      // @ts-expect-error a stamp has its writer
      { table: 'posts', id: '1', at: 1, op: 'delete', if: { at: 1 } },
      // @ts-expect-error a counter of a patch is added to, or set
      { table: 'posts', id: '1', at: 1, op: 'patch', row: { likes: 1 } },
    ]
    const told: WebhookChange<Shop>[] = [
      { table: 'posts', id: '1', op: 'patch', row: { likes: { add: 1 } }, create: true },
      // @ts-expect-error a counter of a patch is added to, or set
      { table: 'posts', id: '1', op: 'patch', row: { likes: 1 } },
    ]
    expect([right, wrong, told].flat()).toHaveLength(9)
  })

  it('a verdict tells what lost, and a rejection the row that is there', () => {
    type Of<Kind> = Extract<ChangeVerdict<Shop>, { verdict: Kind }>
    expectTypeOf<Of<'applied'>['lost']>().toEqualTypeOf<readonly string[] | undefined>()
    expectTypeOf<Of<'rejected'>['current']>().toEqualTypeOf<StoredChange<Shop> | undefined>()
    expectTypeOf<Of<'stale'>['current']>().toEqualTypeOf<StoredChange<Shop>>()
    // @ts-expect-error only what applied tells it
    type _Lost = Of<'stale'>['lost']
  })
})

describe('declarations of columns that merge', () => {
  it('refuses what cannot be, when it is made and where it is written', () => {
    // @ts-expect-error a text has no greatest value
    expect(() => text({ merge: 'max' })).toThrow('text(): merge must be one of once')
    // @ts-expect-error nor has JSON
    expect(() => json({ merge: 'min' })).toThrow('json(): merge must be one of once')
    // @ts-expect-error a counter is declared by counter()
    expect(() => integer({ merge: 'counter' })).toThrow('integer(): merge must be one of max, min, once')
    // @ts-expect-error a counter is never null
    expect(() => counter({ nullable: true })).toThrow('counter() has no option nullable; it takes renamedFrom, since')
    // @ts-expect-error a counter begins with 0
    expect(() => counter({ default: 3 })).toThrow('counter() has no option default')
    expect(counter({ renamedFrom: 'old', since: 2 })).toMatchObject({ type: 'integer', default: 0, merge: 'counter' })
    // @ts-expect-error an integer is not filled when it is written
    expect(() => integer({ filled: 'written' })).toThrow('integer(): filled must be created')
    // @ts-expect-error no text is filled
    expect(() => text({ filled: 'created' })).toThrow(/text\(\) has no option filled/)
    // @ts-expect-error unique is true, or absent
    expect(() => text({ unique: false })).toThrow('text(): unique must be true, or absent')
    expect(() => timestamp({ filled: 'created', merge: 'max' })).toThrow(/no default, unique or merge/)
  })
})
