import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createImport } from '../../src/bulk/import.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { noon, patch, principal, put, type SampleChange } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { allStoreNames, isSpelled, openTestStore, type TestStore } from '../support/stores.ts'

/** One trigger swallows, another refuses. */
const own = {
  postgres: `CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.title = 'swallowed' THEN RETURN NULL; END IF;
  IF NEW.title = 'refused' THEN RAISE EXCEPTION 'no'; END IF;
  RETURN NEW; END $$;
CREATE TRIGGER judge BEFORE INSERT OR UPDATE ON todos FOR EACH ROW EXECUTE FUNCTION judge();`,
  sqlite: ['INSERT', 'UPDATE']
    .map(
      (
        event,
      ) => `CREATE TRIGGER swallow_${event} BEFORE ${event} ON todos WHEN NEW.title = 'swallowed' BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER refuse_${event} BEFORE ${event} ON todos WHEN NEW.title = 'refused' BEGIN SELECT RAISE(ABORT, 'no'); END;`,
    )
    .join('\n'),
}

describe.each(allStoreNames)(
  'several changes of one row, of which a trigger swallows or refuses one, on %s',
  (name) => {
    let opened: TestStore
    let people = 0
    beforeAll(async () => {
      opened = await openTestStore(name, schema, own)
    })
    afterAll(() => opened.close())

    const now = () => noon / 1000 + 3_600_000
    const sync = () => createSync({ schema, store: opened.store, now })
    const named = (verdict: { verdict: string; error?: { code: string } }) => verdict.error?.code ?? verdict.verdict
    const swallowed = { title: 'swallowed' }
    const cases: [string, readonly SampleChange[], readonly string[], object][] = [
      [
        'patches, the middle one',
        [patch('a', 1, { priority: 1 }), patch('a', 2, swallowed), patch('a', 3, { notes: 'n' })],
        ['applied', 'constraint', 'applied'],
        { title: 'there', priority: 1, notes: 'n' },
      ],
      [
        'patches, the first one, in another order of the list',
        [patch('a', 3, { notes: 'n' }), patch('a', 1, swallowed), patch('a', 2, { priority: 2 })],
        ['applied', 'constraint', 'applied'],
        { title: 'there', priority: 2, notes: 'n' },
      ],
      [
        'a put and patches behind it',
        [put('a', 1, 'anew'), patch('a', 2, swallowed), patch('a', 3, { priority: 3 })],
        ['applied', 'constraint', 'applied'],
        { title: 'anew', priority: 3 },
      ],
      [
        'all of them',
        [patch('a', 1, swallowed), patch('a', 2, swallowed)],
        ['constraint', 'constraint'],
        { title: 'there' },
      ],
      [
        'one swallowed and one refused',
        [
          patch('a', 1, swallowed),
          patch('a', 2, { priority: 4 }),
          patch('a', 3, { title: 'refused' }),
          put('b', 4, 'other'),
        ],
        ['constraint', 'applied', 'constraint', 'applied'],
        { title: 'there', priority: 4 },
      ],
      // Only the last value of a column reaches the database: it cannot refuse what is written
      // over.
      [
        'one that a later one overwrites',
        [patch('a', 1, swallowed), patch('a', 2, { title: 'refused' }), patch('a', 3, { title: 'good' })],
        ['applied', 'applied', 'applied'],
        { title: 'good' },
      ],
    ]

    // All of them on a store of each dialect; the last but one has what a store may do wrong.
    const some = isSpelled(name) ? cases : cases.filter(([title]) => title === 'one swallowed and one refused')

    async function someone() {
      const who = principal(`u${++people}`)
      await sync().push(who, { client: 'a', changes: [put('a', 0, 'there')] })
      return who
    }
    const rowOf = async (who: ReturnType<typeof principal>) =>
      (await sync().pull(who)).changes.find(({ id }) => id === 'a') ?? {}

    it.each(some)('P12 a push rejects it alone: %s', async (_, changes, expected, row) => {
      const who = await someone()
      const { verdicts } = await sync().push(who, { client: 'a', changes: [...changes] })
      expect(verdicts.map(named)).toEqual(expected)
      expect(await rowOf(who)).toMatchObject({ row })
      const last = changes.reduce(
        (latest, change, n) =>
          change.id === 'a' && change.at > (changes[latest]?.at ?? 0) && expected[n] === 'applied' ? n : latest,
        0,
      )
      if (expected[last] === 'applied') expect(verdicts[last]).toMatchObject({ current: { row } })
    })

    it('P12 a sync does so too, and its cursor passes over nothing of others', async () => {
      const who = await someone()
      const { cursor } = await sync().pull(who)
      await sync().push(who, { client: 'b', changes: [put('c', 1, 'others')] })
      const [, changes, expected, row] = cases[0] as (typeof cases)[number]
      const answer = await sync().sync(who, { client: 'a', cursor, changes: [...changes] })
      expect(answer.verdicts.map(named)).toEqual(expected)
      expect(answer.changes?.map(({ id }) => id)).toEqual(['c'])
      await sync().push(who, { client: 'b', changes: [put('d', 1, 'others')] })
      expect((await sync().pull(who, { cursor: answer.cursor ?? null })).changes.map(({ id }) => id)).toContain('d')
      expect(await rowOf(who)).toMatchObject({ row })
    })

    it.each(some)(
      'P14 a webhook rejects it alone, and again when it comes again: %s',
      async (_, changes, expected, row) => {
        const who = await someone()
        const operations = createOperations({ schema, store: opened.store, now })
        const grant = { scope: who.subject, isAllowed: () => true }
        const webhook = { id: 'w', grant }
        for (const _ of [1, 2]) {
          const request = { source: 'crm', changes, atomic: false, ...webhook }
          const { verdicts } = await operations.receive(request)
          expect(verdicts.map(named)).toEqual(expected)
          expect(verdicts.every((verdict) => verdict.current === undefined)).toBe(true)
        }
        expect(await rowOf(who)).toMatchObject({ row })
      },
    )

    it.each(some)('P12 an import rejects its line alone: %s', async (_, changes, expected, row) => {
      const who = await someone()
      const operations = createOperations({ schema, store: opened.store, now })
      const grant = { scope: who.subject, isAllowed: () => true }
      const importChunk = createImport(operations.importChunk, who.subject, {
        client: 'a',
        table: undefined,
        at: undefined,
        grant,
      })
      const { rejections } = await importChunk(changes.map((value, line) => ({ line, value })))
      expect(rejections.map(({ line, error }) => [line, error.code])).toEqual(
        expected.flatMap((code, line) => (code === 'constraint' ? [[line, code]] : [])),
      )
      expect(await rowOf(who)).toMatchObject({ row })
    })
  },
)
