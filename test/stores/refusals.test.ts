import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createImport } from '../../src/bulk/import.ts'
import type { Store } from '../../src/stores/store.ts'
import { createSync, type PushInput } from '../../src/sync/create-sync.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { noon, principal, type Sample } from '../support/sample.ts'
import { schema as sample } from '../support/schema.ts'
import { allStoreNames, dialectStores, openTestStore, type TestStore } from '../support/stores.ts'

/** What the user's own migrations add to the sample. */
const constraints = {
  postgres: `CREATE UNIQUE INDEX lists_name ON lists (scope, name);
ALTER TABLE todos ADD CONSTRAINT todos_list FOREIGN KEY (scope, list_id) REFERENCES lists (scope, id) DEFERRABLE INITIALLY DEFERRED;
CREATE FUNCTION quota() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.title = 'swallowed' THEN RETURN NULL; END IF;
  IF NEW.title LIKE 'echo %' THEN PERFORM NEW.title::integer; END IF;
  IF NEW.title LIKE 'code %' THEN RAISE EXCEPTION 'no' USING ERRCODE = substr(NEW.title, 6); END IF;
  IF NEW.title = 'fail' THEN RAISE EXCEPTION 'no' USING ERRCODE = 'QUOTA'; END IF;
  ASSERT NEW.title IS DISTINCT FROM 'assert';
  RETURN NEW; END $$;
CREATE TRIGGER quota BEFORE INSERT OR UPDATE ON todos FOR EACH ROW EXECUTE FUNCTION quota();`,
  sqlite: `CREATE UNIQUE INDEX lists_name ON lists (scope, name);
DROP TABLE todos;
CREATE TABLE todos (scope TEXT NOT NULL, id TEXT NOT NULL, updated_at INTEGER NOT NULL, updated_by TEXT NOT NULL, deleted INTEGER NOT NULL, position INTEGER NOT NULL, created_position INTEGER NOT NULL,
  title TEXT CHECK (deleted OR title IS NOT NULL), done INTEGER CHECK (deleted OR done IS NOT NULL), priority INTEGER CHECK (deleted OR priority IS NOT NULL), notes TEXT, amount REAL, list_id TEXT,
  PRIMARY KEY (scope, id), FOREIGN KEY (scope, list_id) REFERENCES lists (scope, id) DEFERRABLE INITIALLY DEFERRED) STRICT;
CREATE INDEX todos_position ON todos (scope, position);
CREATE TRIGGER quota_i BEFORE INSERT ON todos WHEN NEW.title = 'swallowed' BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER quota_u BEFORE UPDATE ON todos WHEN NEW.title = 'swallowed' BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER fail_u AFTER UPDATE ON todos WHEN NEW.title = 'fail' BEGIN SELECT RAISE(FAIL, 'no'); END;
CREATE TRIGGER echo_i BEFORE INSERT ON todos WHEN NEW.title LIKE 'echo %' BEGIN SELECT json_extract('{}', NEW.title); END;
CREATE TRIGGER code_i BEFORE INSERT ON todos WHEN NEW.title LIKE 'code %' OR NEW.title = 'assert' BEGIN SELECT RAISE(ABORT, 'no'); END;`,
}

let at = noon
const list = (id: string, name: string) => ({ table: 'lists', op: 'put', id, at: at++, row: { name } }) as const
const rename = (id: string, name: string) => ({ table: 'lists', op: 'patch', id, at: at++, row: { name } }) as const
const drop = (id: string) => ({ table: 'lists', op: 'delete', id, at: at++ }) as const
const todo = (id: string, title: string, list_id: string | null = null) =>
  ({ table: 'todos', op: 'put', id, at: at++, row: { title, list_id } }) as const
type Changes = NonNullable<PushInput<Sample>['changes']>

describe.each(allStoreNames)('a change that the database refuses, on %s', (name) => {
  let opened: TestStore
  let store: Store
  let people = 0
  const someone = () => principal(`u${++people}`)
  const now = () => noon / 1000 + 3_600_000
  beforeAll(async () => {
    opened = await openTestStore(name, sample, constraints)
    store = opened.store
  })
  afterAll(() => opened.close())

  const sync = () => createSync({ schema: sample, store, now })
  async function verdictsOf(who: ReturnType<typeof principal>, changes: Changes, more: object = {}): Promise<string[]> {
    const { verdicts } = await sync().push(who, { client: 'a', changes, ...more })
    return verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
  }

  // What a database says is read the same way through every store of a dialect.
  const isWhole = dialectStores.includes(name as never)
  const some = <One>(all: readonly One[], few: readonly One[]) => (isWhole ? all : few)

  it('P12 is rejected, however little is left beside it', async () => {
    const who = someone()
    expect(await verdictsOf(who, [list('a', 'Home')])).toEqual(['applied'])
    expect(await verdictsOf(who, [list('b', 'Home'), list('c', 'Work')])).toEqual(['constraint', 'applied'])
    expect(await verdictsOf(who, [list('b', 'Home')])).toEqual(['constraint'])
    expect(await verdictsOf(who, [list('b', 'Home'), list('d', 'Work')])).toEqual(['constraint', 'constraint'])
    expect(await verdictsOf(who, [rename('a', 'Work')])).toEqual(['constraint'])
    expect(await verdictsOf(who, [list('e', 'New'), list('f', 'Home')])).toEqual(['applied', 'constraint'])
    const answer = await sync().sync(who, { client: 'a', cursor: null, changes: [list('b', 'Home')] })
    expect(answer.verdicts).toMatchObject([{ verdict: 'rejected', error: { code: 'constraint', retryable: false } }])
    expect(answer.changes?.map(({ id }) => id)).toEqual(['a', 'c', 'e'])
  })

  it('P12 is rejected in one of several scopes, and in one alone, and harms no other scope', async () => {
    const who = principal(`u${++people}`, { [`team${people}`]: 'write' })
    const team = `team${people}`
    await verdictsOf(who, [{ ...list('a', 'Home'), scope: team }])
    expect(await verdictsOf(who, [{ ...list('b', 'Home'), scope: team }, list('x', 'Mine')])).toEqual([
      'constraint',
      'applied',
    ])
    expect(await verdictsOf(who, [{ ...list('b', 'Home'), scope: team }])).toEqual(['constraint'])
  })

  it('P12 is rejected alone where only a commit finds it: a child without its parent', async () => {
    const who = someone()
    expect(await verdictsOf(who, [todo('t1', 'child', 'l1'), list('l1', 'parent')])).toEqual(['applied', 'applied'])
    expect(await verdictsOf(who, [todo('t2', 'orphan', 'nowhere'), todo('t3', 'good')])).toEqual([
      'constraint',
      'applied',
    ])
    expect(await verdictsOf(who, [todo('t2', 'orphan', 'nowhere')])).toEqual(['constraint'])
    expect(await verdictsOf(who, [todo('t4', 'o', 'n1'), todo('t5', 'o', 'n2')])).toEqual(['constraint', 'constraint'])
    // Children that come before their parent, with an orphan between them.
    const changes = [
      todo('t6', 'child', 'l2'),
      todo('t7', 'orphan', 'nowhere'),
      todo('t8', 'child', 'l2'),
      list('l2', 'late'),
    ]
    expect(await verdictsOf(who, changes)).toEqual(['applied', 'constraint', 'applied', 'applied'])
  })

  it('P12 is whatever a trigger swallows: rejected, and not told to be there', async () => {
    const who = someone()
    expect(await verdictsOf(who, [todo('a', 'swallowed')])).toEqual(['constraint'])
    expect(await verdictsOf(who, [todo('a', 'kept'), todo('b', 'swallowed')])).toEqual(['applied', 'constraint'])
    expect(await verdictsOf(who, [todo('a', 'swallowed')], { return: 'lost' })).toEqual(['constraint'])
    const patch = { table: 'todos', op: 'patch', id: 'a', at: at++, row: { title: 'swallowed' } } as const
    expect(await verdictsOf(who, [patch])).toEqual(['constraint'])
    const twice = [todo('d', 'kept'), { ...patch, id: 'd', at: at++ }]
    expect(await verdictsOf(who, twice)).toEqual(['applied', 'constraint'])
    expect((await sync().pull(who)).changes.map(({ id }) => id)).toEqual(['a', 'd'])
  })

  const markers = ['driftline_probe', 'driftline_large', 'driftline_resync', 'driftline_missing', 'driftline_repeated']
  it.each(some(markers, ['driftline_probe']))(
    'no text of a user is taken for %s, though the database echoes it',
    async (marker) => {
      const who = someone()
      const echo = (id: string) => todo(id, `echo ${marker}_0_`)
      expect(await verdictsOf(who, [echo('a')])).toEqual(['constraint'])
      expect(await verdictsOf(who, [echo('a'), todo('b', 'good')])).toEqual(['constraint', 'applied'])
      expect(await verdictsOf(who, [echo('a'), echo('c')], { cursor: null })).toEqual(['constraint', 'constraint'])
      await expect(verdictsOf(who, [echo('a')], { atomic: true })).rejects.toMatchObject({ code: 'atomic_rejected' })
    },
  )

  const codes = [
    'PT422',
    '45000',
    'UE001',
    '99930',
    'P0002',
    'P0004',
    'ZZ999',
    '28000',
    '42501',
    '0A000',
    'XX000',
    '22012',
  ]
  it.each(some(codes, ['PT422', '28000', 'XX000']))(
    'P12 a trigger says no by %s, which rejects that change and no other',
    async (code) => {
      const who = someone()
      const bad = todo('bad', `code ${code}`)
      expect(await verdictsOf(who, [todo('a', 'good'), bad, todo('b', 'good')])).toEqual([
        'applied',
        'constraint',
        'applied',
      ])
      // An internal error that hits all there is stays one of the server's.
      if (code === 'XX000' && store.dialect.name === 'postgres')
        await expect(verdictsOf(who, [bad])).rejects.toMatchObject({ kind: 'transient' })
      else expect(await verdictsOf(who, [bad])).toEqual(['constraint'])
      expect(await verdictsOf(who, [todo('c', 'assert'), todo('d', 'good')])).toEqual(['constraint', 'applied'])
    },
  )

  const many: [string, (n: number) => boolean][] = [
    ['all', () => true],
    ['half', (n) => n % 2 === 1],
    ['the last', (n) => n === 1_999],
  ]
  // D1 has batches only, of which a request may have so many: refusals-plain.test.ts.
  it.each(name === 'd1' ? [] : many)('P12 finds %s of 2,000 bad changes in a few round trips', async (_, isBad) => {
    const who = someone()
    await verdictsOf(who, [list('home', 'Home')])
    const changes = Array.from({ length: 2_000 }, (_, n) => list(`l${n}`, isBad(n) ? 'Home' : `n${n}`))
    const before = opened.roundTrips()
    expect(await verdictsOf(who, changes, { return: 'lost' })).toEqual(
      changes.map((_, n) => (isBad(n) ? 'constraint' : 'applied')),
    )
    if (!Number.isNaN(before)) expect(opened.roundTrips() - before).toBeLessThan(25)
  })

  // Objects are of a dialect of their own, and rehearse by themselves.
  if (!isWhole && name !== 'durable-object') return

  it('P12 takes its children with it, and no others: one bad, a parent and forty children reject one', async () => {
    const who = someone()
    await verdictsOf(who, [list('taken', 'Home')])
    const children = Array.from({ length: 40 }, (_, n) => todo(`c${n}`, 'child', 'parent'))
    const verdicts = await verdictsOf(who, [
      ...children.slice(0, 20),
      list('bad', 'Home'),
      list('parent', 'p'),
      ...children.slice(20),
    ])
    expect(verdicts.filter((one) => one === 'constraint')).toHaveLength(1)
    expect(verdicts[20]).toBe('constraint')
    const lost = [
      list('gone', 'Home'),
      todo('x1', 'child', 'gone'),
      todo('x2', 'child', 'gone'),
      todo('x3', 'child', 'parent'),
    ]
    expect(await verdictsOf(who, lost)).toEqual(['constraint', 'constraint', 'constraint', 'applied'])
  })

  it.each([
    ['a', 'z'],
    ['z', 'a'],
  ])('a unique value moves from %s to %s within one change set, by delete and by patch', async (old, fresh) => {
    const who = someone()
    await verdictsOf(who, [list(old, 'Home')])
    expect(await verdictsOf(who, [drop(old), list(fresh, 'Home')])).toEqual(['applied', 'applied'])
    expect(await verdictsOf(who, [rename(fresh, 'Old'), list('new', 'Home')])).toEqual(['applied', 'applied'])
    expect(await verdictsOf(who, [list('new', 'Newer'), rename(fresh, 'Home')])).toEqual(['applied', 'applied'])
  })

  it('a unique value moves along a chain of patches, as one by one, whatever the ids and the order of their making', async () => {
    const who = someone()
    const ids = ['m', 'c', 'z', 'a', 'k']
    await verdictsOf(
      who,
      ids.map((id, n) => list(id, `n${n}`)),
    )
    const down = ids.map((id, n) => rename(id, `n${n + 1}`)).reverse()
    const inOrder = down.map((change, n) => ({ ...change, at: at + n }))
    at += 10
    // By the order of the writes, in one batch, and not by a search for the guilty.
    let batches = 0
    const batch: typeof store.batch = (...args) => {
      batches++
      return store.batch(...args)
    }
    const { verdicts } = await createSync({ schema: sample, store: { ...store, batch }, now }).push(who, {
      client: 'a',
      changes: inOrder,
    })
    expect([verdicts.map(({ verdict }) => verdict), batches]).toEqual([Array(5).fill('applied'), 1])
    // Back again, by puts and patches in turn, beside a change that is refused.
    const back = ids.map((id, n) => (n % 2 ? list(id, `n${n}`) : rename(id, `n${n}`)))
    expect(await verdictsOf(who, [...back, list('bad', 'n0')])).toEqual([...Array(5).fill('applied'), 'constraint'])
  })

  it('a unique value goes round in a ring of rows beside changes that are refused, found out in a few tries', async () => {
    const who = someone()
    await verdictsOf(who, [list('a', 'A'), list('b', 'B'), list('c', 'C')])
    let trips = 0
    const counting =
      <Args extends unknown[], Result>(call: (...args: Args) => Result) =>
      (...args: Args) => {
        trips++
        return call(...args)
      }
    const { batch, rehearse } = store
    const counted = { batch: counting(batch), ...(rehearse && { rehearse: counting(rehearse) }) }
    // No order of the rows as they end will do: each takes what another one has.
    const changes = [
      ...[rename('a', 'free'), list('x', 'C'), rename('b', 'A'), list('y', 'C'), rename('a', 'B')],
      ...Array.from({ length: 600 }, (_, n) => list(`n${n}`, n % 5 ? `N${n}` : 'C')),
    ]
    const { verdicts } = await createSync({ schema: sample, store: { ...store, ...counted }, now }).push(who, {
      client: 'a',
      changes,
    })
    const bad = new Set(changes.filter((change) => change.op === 'put' && change.row.name === 'C'))
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(
      changes.map((change) => (bad.has(change as never) ? 'rejected' : 'applied')),
    )
    if (rehearse) expect(trips).toBeLessThan(20)
    expect((await sync().pull(who)).changes).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ id: 'a', row: { name: 'B' } }),
        expect.objectContaining({ id: 'b', row: { name: 'A' } }),
      ]),
    )
  })

  it('a unique value that a patch frees is there for another row, though a put of the patched row is refused', async () => {
    const who = someone()
    await verdictsOf(who, [list('a', 'A'), list('b', 'B')])
    const changes = [list('c', 'A'), list('a', 'B'), rename('a', 'D')]
    expect(await verdictsOf(who, changes)).toEqual(['applied', 'constraint', 'applied'])
    expect((await sync().pull(who)).changes).toMatchObject([
      { id: 'b', row: { name: 'B' } },
      { id: 'c', row: { name: 'A' } },
      { id: 'a', row: { name: 'D' } },
    ])
  })

  it('P12 harms no other patch of its row, though a trigger of SQLite says FAIL, or one of Postgres QUOTA', async () => {
    const who = someone()
    const patch = (row: object) => ({ table: 'todos', op: 'patch', id: 'a', at: at++, row }) as const
    expect(await verdictsOf(who, [todo('a', 'kept')])).toEqual(['applied'])
    expect(await verdictsOf(who, [patch({ title: 'fail' })])).toEqual(['constraint'])
    const patches = [patch({ priority: 1 }), patch({ title: 'fail' }), patch({ priority: 2 })]
    expect(await verdictsOf(who, patches)).toEqual(['applied', 'constraint', 'applied'])
    const { changes } = await sync().pull(who)
    expect(changes).toMatchObject([{ id: 'a', row: { title: 'kept', priority: 2 } }])
  })

  it('an atomic change set with one, alone or not, is refused whole and names the first of the list', async () => {
    const who = someone()
    await verdictsOf(who, [list('a', 'Home')])
    const atomic = (changes: Changes) => verdictsOf(who, changes, { atomic: true })
    const refused = (index: number, code: string) => ({
      code: 'atomic_rejected',
      members: { index, error: { code } },
    })
    await expect(atomic([list('b', 'Home')])).rejects.toMatchObject(refused(0, 'constraint'))
    await expect(atomic([list('c', 'x'), list('b', 'Home')])).rejects.toMatchObject(refused(1, 'constraint'))
    await expect(atomic([rename('none', 'x')])).rejects.toMatchObject(refused(0, 'row_missing'))
    await expect(atomic([list('c', 'x'), rename('none', 'x'), list('b', 'Home')])).rejects.toMatchObject(
      refused(1, 'row_missing'),
    )
    await expect(
      atomic([rename('b', 'y'), list('b', 'Home')].map((one, n) => ({ ...one, at: at - n }))),
    ).rejects.toMatchObject(refused(0, 'row_missing'))
    await expect(atomic([todo('t', 'swallowed')])).rejects.toMatchObject(refused(0, 'constraint'))
    await expect(atomic([todo('s', 'kept'), todo('t', 'swallowed')])).rejects.toMatchObject(refused(1, 'constraint'))
    await expect(atomic([todo('t', 'orphan', 'nowhere')])).rejects.toMatchObject(refused(0, 'constraint'))
    expect((await sync().pull(who)).changes.map(({ id }) => id)).toEqual(['a'])
    expect(await atomic([todo('t', 'child', 'l'), list('l', 'parent')])).toEqual(['applied', 'applied'])
    expect(await atomic([rename('a', 'Old'), list('n', 'Home')])).toEqual(['applied', 'applied'])
  })

  it.each(some(['no such table: x', 'syntax error', 'has no column named x', ': SQLITE_FULL'], ['no such table: x']))(
    'P12 is rejected alone and beside others where a trigger repeats a text that says of a schema: %s',
    async (text) => {
      const who = someone()
      expect(await verdictsOf(who, [todo('a', `echo ${text}`)])).toEqual(['constraint'])
      expect(await verdictsOf(who, [todo('a', `echo ${text}`), todo('b', 'good')])).toEqual(['constraint', 'applied'])
    },
  )

  it('P14 is rejected in a webhook too, alone and beside others, and again when the webhook comes again', async () => {
    const who = someone()
    const operations = createOperations({ schema: sample, store, now })
    const hook = async (id: string, changes: readonly object[]) => {
      const grant = { scope: who.subject, isAllowed: () => true }
      const webhook = { id, grant }
      const request = { source: 'crm', changes, atomic: false, ...webhook }
      const { verdicts } = await operations.receive(request)
      return verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
    }
    await hook('w1', [list('a', 'Home')])
    for (const _ of [1, 2]) expect(await hook('w2', [list('b', 'Home')])).toEqual(['constraint'])
    for (const _ of [1, 2])
      expect(await hook('w3', [list('b', 'Home'), list('c', 'Work')])).toEqual(['constraint', 'applied'])
    const { at: _at, ...stampless } = list('d', 'Work')
    expect(await hook('w4', [stampless])).toEqual(['constraint'])
    for (const _ of [1, 2])
      expect(await hook('w5', [todo('s', 'swallowed'), todo('k', 'kept')])).toEqual(['constraint', 'applied'])
    expect(await hook('w6', [rename('c', 'Free'), list('e', 'Work')])).toEqual(['applied', 'applied'])
  })

  it('P12 is rejected in an import too: rows, patches, one alone, all of them, and what a trigger swallows', async () => {
    const who = someone()
    const operations = createOperations({ schema: sample, store, now })
    const grant = { scope: who.subject, isAllowed: () => true }
    const chunk = async (changes: readonly object[]) => {
      const importChunk = createImport(operations.importChunk, who.subject, {
        client: 'a',
        table: undefined,
        at: undefined,
        grant,
      })
      const { applied, duplicate, stale, rejections } = await importChunk(
        changes.map((value, n) => ({ line: n + 1, value })),
      )
      return [applied, duplicate, stale, rejections.map(({ line, error }) => `${line} ${error.code}`)]
    }
    expect(await chunk([list('a', 'Home')])).toEqual([1, 0, 0, []])
    expect(await chunk([list('b', 'Home')])).toEqual([0, 0, 0, ['1 constraint']])
    expect(await chunk([rename('none', 'x')])).toEqual([0, 0, 0, ['1 row_missing']])
    expect(await chunk([list('b', 'Home'), list('c', 'Work')])).toEqual([1, 0, 0, ['1 constraint']])
    expect(await chunk([rename('a', 'Work')])).toEqual([0, 0, 0, ['1 constraint']])
    expect(await chunk([list('d', 'Home'), list('e', 'Work')])).toEqual([0, 0, 0, ['1 constraint', '2 constraint']])
    expect(await chunk([todo('s', 'swallowed'), todo('t', 'kept')])).toEqual([1, 0, 0, ['1 constraint']])
    expect(await chunk([todo('o', 'orphan', 'nowhere')])).toEqual([0, 0, 0, ['1 constraint']])
    expect(await chunk([list('z', 'Swap'), list('c', 'Free'), list('f', 'Work')])).toEqual([3, 0, 0, []])
    // What a line lacks comes with lines that go another way: of a row that comes twice, or of
    // another writer.
    expect(await chunk([rename('f', 'Old'), list('h', 'Work'), rename('f', 'Older')])).toEqual([3, 0, 0, []])
    const family = [list('p', 'Parent'), todo('k', 'child', 'p'), todo('o', 'orphan', 'none'), rename('p', 'Mother')]
    expect(await chunk(family)).toEqual([3, 0, 0, ['3 constraint']])
    const byOther = (id: string, name: string) => ({ ...rename(id, name), by: 'other' })
    const written = [byOther('a', 'A'), list('q', 'Q'), byOther('none', 'N'), list('q', 'QQ'), byOther('q', 'QQQ')]
    expect(await chunk(written)).toEqual([4, 0, 0, ['3 row_missing']])
    expect(await chunk([...family, ...written])).toEqual([0, 4, 3, ['3 constraint', '7 row_missing']])
  })

  it('says which constraint it breaks where the app has words for it', async () => {
    const { tables: _tables, ...more } = sample
    const messages = new Map([['lists_name', 'A list of that name exists.']])
    const named = createSync({ schema: { ...sample, ...more, messages }, store, now })
    const who = someone()
    await named.push(who, { client: 'a', changes: [list('a', 'Home')] })
    const { verdicts } = await named.push(who, {
      client: 'a',
      changes: [list('b', 'Home'), todo('o', 'orphan', 'nowhere')],
    })
    expect(verdicts).toEqual([
      {
        verdict: 'rejected',
        error: {
          code: 'constraint',
          detail: 'A list of that name exists.',
          retryable: false,
          constraint: 'lists_name',
        },
      },
      { verdict: 'rejected', error: expect.not.objectContaining({ constraint: expect.anything() }) },
    ])
  })
})
