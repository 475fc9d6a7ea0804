import { counterStories } from './merge-counter-stories.ts'
import { born, create, del, inserted, type MergeStory, patch, poll, put, seen, story } from './merge-story.ts'

const columns: readonly MergeStory[] = [
  story(
    'two patches of different columns both stay, whichever comes first',
    'products',
    [inserted, [patch(3, { name: 'y' }), 'applied updated'], [patch(2, { price: 7 }), 'applied updated']],
    { name: 'y', price: 7 },
  ),
  story(
    'a patch that loses one of its columns names it',
    'products',
    [
      inserted,
      [patch(3, { name: 'y' }), 'applied updated'],
      [patch(2, { name: 'z', price: 7 }), 'applied updated lost name'],
    ],
    { name: 'y', price: 7 },
  ),
  story(
    'a put loses the columns with a greater stamp',
    'products',
    [inserted, [patch(3, { name: 'y' }), 'applied updated'], [put(2, { price: 7 }), 'applied updated lost name']],
    { name: 'y', price: 7, stock: 5 },
  ),
  story(
    'a put all of whose columns lose is stale',
    'products',
    [inserted, [patch(3, { name: 'y', price: 7 }), 'applied updated'], [put(2, { price: 8, best: 3 }), 'stale']],
    { name: 'y', price: 7 },
  ),
  story(
    'a put all of whose columns lose, with a greater max, is applied',
    'products',
    [
      inserted,
      [patch(3, { name: 'y', price: 7 }), 'applied updated'],
      [put(2, { price: 8, best: 4 }), 'applied updated lost name price'],
    ],
    { name: 'y', price: 7, best: 4 },
  ),
  story(
    'a patch of a column that is there by this stamp and one that is not is applied and lost nothing',
    'products',
    [inserted, [patch(3, { name: 'y' }), 'applied updated'], [patch(3, { name: 'z', price: 7 }), 'applied updated']],
    { name: 'y', price: 7 },
  ),
  story(
    'of the same stamp it is who that decides',
    'products',
    [inserted, [patch(3, { name: 'y' }), 'applied updated', 'bert'], [patch(3, { name: 'z' }), 'stale', 'anna']],
    { name: 'y' },
  ),
  story(
    'without byColumn an older patch of another column loses, and what merges in it does not',
    'polls',
    [
      born,
      [patch(3, { title: 'y' }), 'applied updated'],
      [patch(2, { notes: 'm' }), 'stale'],
      [patch(2, { notes: 'm', top: 9 }), 'applied updated lost notes'],
    ],
    { title: 'y', notes: null, top: 9 },
  ),
  story('a delete wins against the row and what was merged into it later', 'products', [
    inserted,
    [patch(9, { stock: { add: 1 }, best: 8 }), 'applied updated'],
    [del(2), 'applied deleted'],
  ]),
  story(
    'a delete loses to one later column',
    'products',
    [inserted, [patch(3, { name: 'y' }), 'applied updated'], [del(2), 'stale'], [del(3), 'duplicate']],
    { name: 'y' },
  ),
  story(
    'max and min move whatever the stamp is, and null gives way',
    'products',
    [
      [put(5, { best: 3 }), 'applied inserted'],
      [patch(2, { best: 7, least: 2.5 }), 'applied updated'],
      [patch(3, { least: 1.5 }), 'applied updated'],
      [patch(9, { best: 6 }), 'stale'],
      [patch(9, { best: 7 }), 'duplicate'],
      [patch(9, { least: null }), 'duplicate'],
    ],
    { best: 7, least: 1.5 },
  ),
  story(
    'the first value of once stays',
    'products',
    [
      inserted,
      [patch(3, { made_by: 'p' }), 'applied updated'],
      [patch(2, { made_by: 'q' }), 'stale'],
      [patch(9, { made_by: 'p' }), 'duplicate'],
    ],
    { made_by: 'p' },
  ),
  story("a filled column is the server's", 'products', [[put(1, { created_at: 'x' }), 'rejected invalid_value']]),
]

const rows: readonly MergeStory[] = [
  story(
    'a patch that creates is the put of its columns where there is no row, or an older tombstone',
    'products',
    [
      [create(1, { name: 'y', stock: { add: 2 } }), 'applied inserted'],
      [create(2, { stock: { add: 2 } }), 'rejected missing_column'],
      [create(2, { name: 'y', stock: { add: 2 } }), 'applied updated'],
      [del(4), 'applied deleted'],
      [create(3, { name: 'y' }), 'stale'],
      [patch(5, { name: 'y' }), 'rejected row_missing'],
      [create(5, { price: 1 }), 'rejected missing_column'],
      [create(5, { name: 'z', price: 1 }), 'applied updated'],
    ],
    { name: 'z', price: 1, stock: 0 },
  ),
  story('a change that says which row it saw is taken only there', 'products', [
    [{ ...put(1, {}), ...seen(1) }, 'rejected changed'],
    inserted,
    [{ ...patch(2, { price: 2 }), ...seen(1) }, 'applied updated'],
    [{ ...patch(3, { price: 3 }), ...seen(1) }, 'rejected changed', 'bert'],
    [{ ...patch(2, { price: 2 }), ...seen(1) }, 'duplicate'],
    [{ ...patch(1, { price: 1 }), ...seen(2) }, 'stale', 'bert'],
    [{ ...del(3), ...seen(2, 'bert') }, 'rejected changed'],
    [{ ...del(3), ...seen(2) }, 'applied deleted'],
  ]),
  story(
    'P5 an add that said which row it saw is known when it is sent again, whatever the row then is',
    'products',
    [
      inserted,
      [{ ...patch(3, { stock: { add: 2 } }), ...seen(1) }, 'applied updated'],
      [patch(2, { name: 'y' }), 'applied updated', 'bert'],
      [{ ...patch(3, { stock: { add: 2 } }), ...seen(1) }, 'duplicate'],
    ],
    { stock: 7 },
  ),
]

/**
 * Where the contract's sentences are at odds: what the reference does, which takes the rules of the
 * columns by their word.
 */
const atOdds: readonly MergeStory[] = [
  story(
    'a max of the first life, sent again in the second, merges whatever its stamp is',
    'products',
    [
      inserted,
      [patch(2, { best: 9 }), 'applied updated'],
      [del(3), 'applied deleted'],
      [put(4, { best: 1 }), 'applied updated'],
      [patch(2, { best: 9 }), 'applied updated'],
    ],
    { best: 9 },
  ),
  story(
    "a set that is later than the delete that took it is later than the new life's first number",
    'products',
    [
      inserted,
      [patch(9, { stock: { set: 2 } }), 'applied updated'],
      [del(2), 'applied deleted'],
      [put(3, { stock: 1 }), 'applied updated'],
      [patch(9, { stock: { set: 2 } }), 'applied updated'],
    ],
    { stock: 2 },
  ),
  story('a known add is a patch of a missing row where an older delete took it', 'products', [
    inserted,
    [patch(9, { stock: { add: 2 } }), 'applied updated'],
    [del(2), 'applied deleted'],
    [patch(9, { stock: { add: 2 } }), 'rejected row_missing'],
  ]),
  story('a put at the very stamp of a tombstone is a duplicate', 'products', [
    [del(2), 'applied deleted'],
    [put(2, {}), 'duplicate'],
  ]),
  story('the same in a table with one stamp a row', 'polls', [
    [del(2), 'applied deleted'],
    [poll(2, {}), 'duplicate'],
  ]),
]

export const mergeStories: readonly MergeStory[] = [...columns, ...counterStories, ...rows, ...atOdds]
