import { del, inserted, type MergeStory, patch, put, story } from './merge-story.ts'

export const counterStories: readonly MergeStory[] = [
  story(
    'an add counts whatever the row is stamped, and once',
    'products',
    [
      inserted,
      [patch(9, { name: 'y' }), 'applied updated'],
      [patch(2, { stock: { add: 2 } }), 'applied updated'],
      [patch(2, { stock: { add: 2 } }), 'duplicate'],
      [patch(2, { stock: { add: 2 } }), 'applied updated', 'bert'],
    ],
    { stock: 9 },
  ),
  story(
    'a bare number changes nothing where the row lives, and is no word of a patch',
    'products',
    [
      inserted,
      [put(2, { stock: 100, best: 3 }), 'applied updated'],
      [patch(3, { stock: 1 }), 'rejected invalid_value'],
    ],
    { stock: 5 },
  ),
  story(
    'later adds stay on top of a set, earlier ones go, those that arrive late too',
    'products',
    [
      inserted,
      [patch(6, { stock: { add: 1 } }), 'applied updated'],
      [patch(3, { stock: { add: 10 } }), 'applied updated'],
      [patch(5, { stock: { set: 20 } }), 'applied updated'],
      [patch(4, { stock: { add: 100 } }), 'stale'],
      [patch(3, { stock: { add: 10 } }), 'duplicate'],
      [patch(7, { stock: { add: 2 } }), 'applied updated'],
      [patch(4, { stock: { set: 1 } }), 'stale'],
      [patch(5, { stock: { set: 1 } }), 'duplicate'],
    ],
    { stock: 23 },
  ),
  story(
    'a set that loses is named where something else took effect',
    'products',
    [
      inserted,
      [patch(5, { stock: { set: 20 } }), 'applied updated'],
      [patch(4, { stock: { set: 1 }, sold: { add: 1 } }), 'applied updated lost stock'],
      [patch(3, { stock: { add: 1 }, sold: { add: 1 } }), 'applied updated'],
    ],
    { stock: 20, sold: 2 },
  ),
  story(
    'a set of an older stamp than the put that made the row is the first set',
    'products',
    [
      [put(5, { stock: 5 }), 'applied inserted'],
      [patch(2, { stock: { set: 1 } }), 'applied updated'],
    ],
    { stock: 1 },
  ),
  story(
    'a put may add and set, also where it makes the row',
    'products',
    [
      [put(2, { stock: { add: 3 }, sold: { set: 4 } }), 'applied inserted'],
      [put(2, { stock: { add: 3 }, sold: { set: 4 } }), 'duplicate'],
      [put(1, { stock: { add: 2 }, sold: { set: 9 } }), 'applied updated lost name price sold'],
    ],
    { stock: 5, sold: 4 },
  ),
  story(
    'an add for a missing row is refused, and counts when it is sent after the put',
    'products',
    [
      [patch(1, { stock: { add: 2 } }), 'rejected row_missing'],
      [put(2, { stock: 5 }), 'applied inserted'],
      [patch(1, { stock: { add: 2 } }), 'applied updated'],
    ],
    { stock: 7 },
  ),
  story(
    'an add from before the deletion does not count for the new life, sent before or after it',
    'products',
    [
      inserted,
      [patch(2, { stock: { add: 2 } }), 'applied updated'],
      [del(4), 'applied deleted'],
      [patch(3, { stock: { add: 10 } }), 'stale'],
      [put(6, { stock: 1 }), 'applied updated'],
      [patch(3, { stock: { add: 10 } }), 'stale'],
      [patch(2, { stock: { add: 2 } }), 'duplicate'],
      [patch(4, { stock: { add: 10 } }), 'duplicate'],
      [patch(5, { stock: { add: 10 } }), 'applied updated'],
    ],
    { stock: 11 },
  ),
  story(
    'an add that is later than the delete that took it stays nought',
    'products',
    [
      inserted,
      [patch(9, { stock: { add: 2 } }), 'applied updated'],
      [del(2), 'applied deleted'],
      [put(3, { stock: 1 }), 'applied updated'],
      [patch(9, { stock: { add: 2 } }), 'duplicate'],
    ],
    { stock: 1 },
  ),
]
