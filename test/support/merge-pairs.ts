import { byColumn, counter, defineSchema, integer, text } from '../../src/index.ts'
import { noon } from './sample.ts'

/** What two sessions race for. */
export const racedSchema = defineSchema({
  products: byColumn({
    name: text({ nullable: true }),
    price: integer({ nullable: true }),
    stock: counter(),
    best: integer({ merge: 'max', default: 0 }),
    least: integer({ merge: 'min', nullable: true }),
    made_by: text({ merge: 'once', nullable: true }),
  }),
  members: { email: text({ unique: true, nullable: true }), points: counter() },
})

interface Sent {
  readonly by: string
  readonly changes: readonly object[]
}

/** Two pushes that meet, and the rows that they meet. */
export interface MergePair {
  readonly title: string
  readonly before: readonly object[]
  readonly pushes: readonly [Sent, Sent]
}

const patch = (at: number, row: object, more: object = {}, table = 'products', id = 'a') => ({
  ...{ table, op: 'patch', id, at: noon + at, row },
  ...more,
})
const put = (id: string, at: number, row: object, table = 'products') => ({ table, op: 'put', id, at: noon + at, row })
const del = (id: string, at: number, table = 'products') => ({ table, op: 'delete', id, at: noon + at })
const first = put('a', 0, { name: 'first', price: 1, stock: 5, best: 3, least: 3 })
const seen = { if: { at: noon, by: 'zoe' } }

function pair(title: string, one: object | object[], other: object | object[], before: object[] = [first]): MergePair {
  const pushes = [
    { by: 'anna', changes: [one].flat() },
    { by: 'bert', changes: [other].flat() },
  ] as const
  return { title, before, pushes }
}

/** Each way in which two writers meet in a row, in a counter, and in a key. */
export const mergePairs: readonly MergePair[] = [
  pair('patches of one column', patch(1, { name: 'one' }), patch(2, { name: 'other' })),
  pair('patches of two columns', patch(1, { name: 'one' }), patch(2, { price: 2 })),
  pair('a put and an older patch', put('a', 2, { name: 'put', price: 9 }), patch(1, { price: 2 })),
  pair('a put and a later patch', put('a', 1, { name: 'put', price: 9 }), patch(2, { price: 2 })),
  pair('adds', patch(1, { stock: { add: 1 } }), patch(1, { stock: { add: 10 } })),
  pair('an add and a later set', patch(1, { stock: { add: 1 } }), patch(2, { stock: { set: 20 } })),
  pair('an add and an earlier set', patch(2, { stock: { add: 1 } }), patch(1, { stock: { set: 20 } })),
  pair('two sets', patch(1, { stock: { set: 30 } }), patch(2, { stock: { set: 20 } })),
  pair('an add and a deletion', patch(2, { stock: { add: 1 } }), del('a', 1)),
  pair('an add and a row made anew', patch(2, { stock: { add: 1 } }), [del('a', 1), put('a', 3, { stock: 2 })]),
  pair('greatest values', patch(1, { best: 9 }), patch(2, { best: 7 })),
  pair('least values', patch(1, { least: 1 }), patch(2, { least: 2 })),
  pair('first values', patch(1, { made_by: 'anna' }), patch(2, { made_by: 'bert' })),
  pair(
    'patches that make the row',
    patch(1, { name: 'one', stock: { add: 1 } }, { create: true }),
    patch(2, { price: 2, stock: { add: 1 } }, { create: true }),
    [],
  ),
  pair(
    'patches that make anew what was deleted',
    patch(3, { name: 'one', stock: { add: 1 } }, { create: true }),
    patch(2, { price: 2, stock: { add: 1 } }, { create: true }),
    [first, del('a', 1)],
  ),
  pair('changes of the row as it was seen', patch(1, { name: 'one' }, seen), patch(2, { name: 'other' }, seen)),
  pair(
    'a put of the row as it was seen, and an add',
    { ...put('a', 1, { name: 'one' }), ...seen },
    patch(2, { stock: { add: 1 } }),
  ),
  pair(
    'an add to the row as it was seen, and a patch',
    patch(1, { stock: { add: 1 } }, seen),
    patch(2, { name: 'two' }),
  ),
  pair('rows that want one key', put('a', 1, { email: 'x' }, 'members'), put('b', 2, { email: 'x' }, 'members'), [
    put('c', 0, { email: 'c' }, 'members'),
  ]),
  pair(
    'a key that is given away, and a row that wants it',
    patch(1, { email: 'y' }, {}, 'members'),
    put('b', 2, { email: 'x' }, 'members'),
    [put('a', 0, { email: 'x' }, 'members')],
  ),
  pair(
    'a key that moves between rows, and a third that wants it',
    [patch(1, { email: 'y' }, {}, 'members'), patch(2, { email: 'x' }, {}, 'members', 'b')],
    patch(3, { email: 'x' }, {}, 'members', 'c'),
    [put('a', 0, { email: 'x' }, 'members'), put('b', 0, { email: 'b' }, 'members'), put('c', 0, {}, 'members')],
  ),
  pair(
    'a key whose row is deleted, and a row that wants it',
    del('a', 1, 'members'),
    patch(2, { email: 'x' }, {}, 'members', 'b'),
    [put('a', 0, { email: 'x' }, 'members'), put('b', 0, {}, 'members')],
  ),
]
