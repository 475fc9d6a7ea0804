import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSync } from '../../src/sync/create-sync.ts'
import { noon, principal, type SampleChange } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { allStoreNames, dialectStores, openTestStore, type TestStore } from '../support/stores.ts'

const key = (of: string, to: string) => `FOREIGN KEY (scope, ${of}) REFERENCES ${to} (scope, id)`
const deferred = 'DEFERRABLE INITIALLY DEFERRED'
const columns = `scope TEXT NOT NULL, id TEXT NOT NULL, updated_at INTEGER NOT NULL, updated_by TEXT NOT NULL, deleted INTEGER NOT NULL, position INTEGER NOT NULL, created_position INTEGER NOT NULL`

/**
 * A list names a todo and a todo may name a list; a todo names another by its notes, which the
 * statement checks.
 */
const own = {
  postgres: `ALTER TABLE lists ADD ${key('name', 'todos')} ${deferred};
ALTER TABLE todos ADD ${key('list_id', 'lists')} ${deferred};
ALTER TABLE todos ADD ${key('notes', 'todos')};
ALTER TABLE todos ADD CHECK (title <> 'bad');`,
  sqlite: `DROP TABLE lists;
DROP TABLE todos;
CREATE TABLE lists (${columns}, name TEXT CHECK (deleted OR name IS NOT NULL), PRIMARY KEY (scope, id), ${key('name', 'todos')} ${deferred}) STRICT;
CREATE TABLE todos (${columns}, title TEXT CHECK (title <> 'bad'), done INTEGER, priority INTEGER, notes TEXT, amount REAL, list_id TEXT,
  PRIMARY KEY (scope, id), ${key('list_id', 'lists')} ${deferred}, ${key('notes', 'todos')}) STRICT;
CREATE INDEX lists_position ON lists (scope, position);
CREATE INDEX todos_position ON todos (scope, position);`,
}

let at = noon
const list = (id: string, todo: string): SampleChange => ({
  ...{ table: 'lists', op: 'put', id, at: at++ },
  row: { name: todo },
})
const todo = (id: string, row: object = {}): SampleChange => ({
  ...{ table: 'todos', op: 'put', id, at: at++ },
  row: { title: 'good', ...row },
})

describe.each(allStoreNames)('new rows that refer to each other, on %s', (name) => {
  let opened: TestStore
  let people = 0
  beforeAll(async () => {
    opened = await openTestStore(name, schema, own)
  })
  afterAll(() => opened.close())

  async function verdictsOf(changes: readonly SampleChange[], more: object = {}) {
    const sync = createSync({ schema, store: opened.store, now: () => noon / 1000 + 3_600_000 })
    const who = principal(`u${++people}`)
    const { verdicts } = await sync.push(who, { client: 'a', changes: [...changes], ...more })
    const applied = changes.filter((_, place) => verdicts[place]?.verdict === 'applied')
    const stored = (await sync.pull(who)).changes.map(({ id }) => id)
    expect(new Set(stored)).toEqual(new Set(applied.map(({ id }) => id)))
    return verdicts.map(({ verdict }) => verdict === 'applied')
  }

  const cases: [string, () => readonly SampleChange[], readonly boolean[]][] = [
    ['alone', () => [list('l', 't'), todo('t', { list_id: 'l' })], [true, true]],
    [
      'beside an orphan',
      () => [list('l', 't'), todo('o', { list_id: 'nowhere' }), todo('t', { list_id: 'l' })],
      [true, false, true],
    ],
    [
      'beside an orphan that refers to one of them as well',
      () => [todo('o', { list_id: 'l', notes: 'nowhere' }), todo('t', { list_id: 'l' }), list('l', 't')],
      [false, true, true],
    ],
    [
      'beside what the statement refuses, and with a child of theirs',
      () => [
        todo('c', { list_id: 'l' }),
        list('l', 't'),
        todo('t', { list_id: 'l' }),
        todo('b', { title: 'bad' }),
        todo('d', { list_id: 'l' }),
      ],
      [true, true, true, false, true],
    ],
    [
      'two pairs beside orphans first and last',
      () => [
        todo('o', { list_id: 'none' }),
        list('k', 's'),
        list('l', 't'),
        todo('t', { list_id: 'l' }),
        todo('s', { list_id: 'k' }),
        list('p', 'none'),
      ],
      [false, true, true, true, true, false],
    ],
    [
      'a pair of which one is refused: both',
      () => [list('l', 't'), todo('t', { list_id: 'l', title: 'bad' }), todo('g')],
      [false, false, true],
    ],
    [
      'a ring of three that the statement checks, beside a bad one',
      () => [
        todo('a', { notes: 'b' }),
        todo('b', { notes: 'c' }),
        todo('x', { title: 'bad' }),
        todo('c', { notes: 'a' }),
      ],
      [true, true, false, true],
    ],
    [
      'a row that refers to itself, beside an orphan',
      () => [todo('a', { notes: 'a' }), todo('o', { list_id: 'none' })],
      [true, false],
    ],
    [
      'nothing but orphans of each other',
      () => [list('l', 'none'), todo('t', { list_id: 'l' }), todo('u', { notes: 't' })],
      [false, false, false],
    ],
  ]
  // What is found out is found out the same way by every store of a dialect.
  const isWhole = dialectStores.includes(name as never)
  const some = ['beside an orphan', 'two pairs beside orphans first and last', 'a pair of which one is refused: both']
  it.each(isWhole ? cases : cases.filter(([title]) => some.includes(title)))('P12 %s', async (_, changes, expected) => {
    expect(await verdictsOf(changes())).toEqual(expected)
    expect(await verdictsOf(changes().toReversed())).toEqual(expected.toReversed())
  })

  it('an atomic change set with a pair names the orphan beside it', async () => {
    const changes = [list('l', 't'), todo('t', { list_id: 'l' }), todo('o', { list_id: 'nowhere' })]
    await expect(verdictsOf(changes, { atomic: true })).rejects.toMatchObject({ members: { index: 2 } })
    expect(await verdictsOf(changes.slice(0, 2), { atomic: true })).toEqual([true, true])
  })
})
