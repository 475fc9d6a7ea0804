import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { limits } from '../../src/model/limits.ts'
import type { Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { del, noon, patch, principal, put, type SampleChange } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { inThisRun, openTestStore, type TestStore } from '../support/stores.ts'

const own = `CREATE UNIQUE INDEX lists_name ON lists (scope, name);
DROP TABLE todos;
CREATE TABLE todos (scope TEXT NOT NULL, id TEXT NOT NULL, updated_at INTEGER NOT NULL, updated_by TEXT NOT NULL, deleted INTEGER NOT NULL, position INTEGER NOT NULL, created_position INTEGER NOT NULL,
  title TEXT CHECK (deleted OR title IS NOT NULL), done INTEGER CHECK (deleted OR done IS NOT NULL), priority INTEGER CHECK (deleted OR priority IS NOT NULL), notes TEXT, amount REAL, list_id TEXT,
  PRIMARY KEY (scope, id), FOREIGN KEY (scope, list_id) REFERENCES lists (scope, id) DEFERRABLE INITIALLY DEFERRED) STRICT;
CREATE INDEX todos_position ON todos (scope, position);
CREATE TRIGGER swallow BEFORE INSERT ON todos WHEN NEW.title = 'swallowed' BEGIN SELECT RAISE(IGNORE); END;`

/**
 * What somebody writes over a database of his own, and D1: it says of a batch that it failed, and
 * tries nothing else. It answers as a store that rehearses.
 */
describe.each(inThisRun(['libsql file', 'd1']))('a store that has batches only: %s', (name) => {
  let opened: TestStore
  let other: TestStore
  let plain: Store
  let batches = 0
  let people = 0
  const someone = () => principal(`u${++people}`)
  beforeAll(async () => {
    opened = await openTestStore('libsql file', schema, { postgres: '', sqlite: own })
    other = name === 'd1' ? await openTestStore(name, schema, { postgres: '', sqlite: own }) : opened
    const { rehearse: _, ...most } = other.store
    plain = {
      ...most,
      batch(scope, statements) {
        batches++
        return other.store.batch(scope, statements)
      },
    }
  })
  afterAll(async () => {
    await opened.close()
    if (other !== opened) await other.close()
  })
  beforeEach(() => {
    batches = 0
  })

  async function push(store: Store, who: ReturnType<typeof principal>, changes: readonly SampleChange[], more = {}) {
    const sync = createSync({ schema, store, now: () => noon / 1000 + 3_600_000 })
    const { verdicts } = await sync.push(who, { client: 'a', changes: [...changes], ...more })
    return verdicts.map((one) => (one.verdict === 'rejected' ? one.error : one.verdict))
  }
  const list = (id: string, at: number, name: string) =>
    ({ table: 'lists', op: 'put', id, at: noon + at, row: { name } }) as const
  const rename = (id: string, at: number, name: string) =>
    ({ table: 'lists', op: 'patch', id, at: noon + at, row: { name } }) as const
  const child = (id: string, at: number, list_id: string) => put(id, at, 'child', { list_id })

  it.each<[string, readonly SampleChange[], readonly string[]]>([
    ['one alone', [list('b', 1, 'Home')], ['no']],
    ['all', [list('b', 1, 'Home'), list('c', 2, 'Home')], ['no', 'no']],
    ['the first', [list('b', 1, 'Home'), list('c', 2, 'New')], ['no', 'yes']],
    ['the last', [list('c', 1, 'New'), list('b', 2, 'Home')], ['yes', 'no']],
    ['a patch', [rename('other', 1, 'Home'), list('c', 2, 'New')], ['no', 'yes']],
    ['a patch of nothing', [patch('none', 1, { done: true }), list('b', 2, 'Home')], ['no', 'no']],
    [
      'a value that moves, beside one',
      [rename('home', 1, 'Old'), list('b', 2, 'Home'), list('c', 3, 'Home')],
      ['yes', 'yes', 'no'],
    ],
    ['an orphan alone', [child('t', 1, 'nowhere')], ['no']],
    [
      'orphans and a good one',
      [child('t', 1, 'nowhere'), put('u', 2, 'good'), child('v', 3, 'none')],
      ['no', 'yes', 'no'],
    ],
    [
      'an orphan among children before their parent',
      [child('t', 1, 'new'), child('u', 2, 'nowhere'), list('new', 3, 'New')],
      ['yes', 'no', 'yes'],
    ],
    ['a row that is swallowed', [put('t', 1, 'swallowed'), put('u', 2, 'good'), del('none', 3)], ['no', 'yes', 'yes']],
  ])('P12 answers as any other store does: %s', async (_, changes, expected) => {
    const answers = []
    for (const store of [opened.store, plain]) {
      const who = someone()
      await push(store, who, [list('home', -10, 'Home'), list('other', -9, 'Other')])
      answers.push(await push(store, who, changes))
    }
    expect(answers[1]).toEqual(answers[0])
    expect(answers[0]?.map((one) => (one === 'applied' ? 'yes' : 'no'))).toEqual(expected)
  })

  it('P12 says send_fewer, to be tried again, of what so many batches do not tell, and sent one by one all is told', async () => {
    const who = someone()
    await push(plain, who, [list('home', -1, 'Home')])
    batches = 0
    const isBad = (n: number) => n % 3 > 0
    const changes = Array.from({ length: 300 }, (_, n) => list(`l${n}`, n, isBad(n) ? 'Home' : `n${n}`))
    const verdicts = await push(plain, who, changes)
    // Each try also reads the names of what may refuse.
    expect(batches).toBeLessThan(limits.refusalBatchesMax + limits.refusalTriesMax + 10)
    const fewer = changes.filter((_, n) => (verdicts[n] as { code?: string }).code === 'send_fewer')
    expect(fewer.length).toBeGreaterThan(0)
    expect(verdicts.find((one) => typeof one === 'object' && one.code === 'send_fewer')).toMatchObject({
      retryable: true,
    })
    for (const [n, verdict] of verdicts.entries()) {
      if (verdict === 'applied') expect(isBad(n)).toBe(false)
      else if (typeof verdict === 'object' && verdict.code === 'constraint') expect(isBad(n)).toBe(true)
      else expect(verdict).toMatchObject({ code: 'send_fewer' })
    }
    for (const [n, change] of changes.entries()) {
      // Each costs D1 a batch of its own, and says what the one before it did.
      if (!fewer.includes(change) || (name === 'd1' && n % 10 > 1)) continue
      const [verdict] = await push(plain, who, [change])
      if (isBad(n)) expect(verdict).toMatchObject({ code: 'constraint', retryable: false })
      else expect(verdict).toBe('applied')
    }
  })

  it('keeps nothing of an atomic change set that it refuses', async () => {
    const who = someone()
    await push(plain, who, [list('home', -1, 'Home')])
    const atomic = [list('b', 1, 'New'), list('c', 2, 'Home'), child('t', 3, 'nowhere')]
    await expect(push(plain, who, atomic, { atomic: true })).rejects.toMatchObject({
      code: 'atomic_rejected',
      members: { index: 1, error: { code: 'constraint' } },
    })
    const sync = createSync({ schema, store: plain, now: () => noon / 1000 + 3_600_000 })
    expect((await sync.pull(who)).changes.map(({ id }) => id)).toEqual(['home'])
  })
})
