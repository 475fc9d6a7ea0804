import { createSync } from '../../sync/create-sync.ts'
import { equal, includes } from '../assert.ts'
import type { Checks } from '../check.ts'
import { del, noon, patch, put, type SampleChange, sampleSync, suiteSchema } from '../sample.ts'

/** The same change set again, one after the other and at the same time. */
export const replayChecks: Checks = {
  'P5 answers a replay with duplicate and changes no row and no position': async ({ store, someone }) => {
    const sync = sampleSync(store)
    const who = someone()
    const changes = [put('a', 0, 'a'), del('b', 0), patch('a', 1, { notes: 'n' })]
    await sync.push(who, { client: 'a', changes })
    const before = await sync.pull(who)
    const again = await sync.push(who, { client: 'a', changes })
    equal(
      again.verdicts.map(({ verdict }) => verdict),
      ['stale', 'duplicate', 'duplicate'],
    )
    equal((await sync.pull(who)).changes, before.changes)
    const lost = await sync.push(who, { client: 'a', changes: [del('b', 0)], return: 'lost' })
    equal(lost.verdicts, [{ verdict: 'duplicate' }])
  },

  'P5 P12 a stamp that is stored with other content is a duplicate with the row as it is, and is counted': async ({
    store,
    someone,
  }) => {
    const counts: number[] = []
    const sync = createSync({
      ...{ schema: suiteSchema, store, now: () => noon / 1000 },
      onSync: ({ conflicting }) => counts.push(conflicting),
    })
    const who = someone()
    const old = [
      put('a', 0, 'old', { amount: 0.1, priority: -0 }),
      put('b', 0, 'same', { notes: 'n' }),
      del('c', 0),
      put('d', 0, 'was there'),
      put('e', 0, 'of a put'),
      put('f', 0, 'first'),
    ]
    let requests = 0
    /** `onSync` is told soon after the answer: the next request waits for it. */
    async function told<Answer>(request: Promise<Answer>): Promise<Answer> {
      const answer = await request
      requests++
      for (let tries = 0; counts.length < requests && tries < 500; tries++)
        await new Promise((resolve) => setTimeout(resolve, 1))
      return answer
    }
    const push = async (changes: SampleChange[]) =>
      (await told(sync.push(who, { client: 'phone', changes, return: 'lost' }))).verdicts
    await push(old)
    const before = (await told(sync.pull(who))).changes
    const stored = (id: string) => before.find((one) => one.id === id)
    // Given in full, or by its defaults, it is the same content.
    equal(
      await push(old),
      old.map(() => ({ verdict: 'duplicate' })),
    )
    const spelledOut = put('b', 0, 'same', { notes: 'n', done: false, priority: -0, amount: null, list_id: null })
    equal(await push([spelledOut]), [{ verdict: 'duplicate' }])
    const other = [
      put('a', 0, 'old', { amount: 0.10000000000000002 }),
      put('b', 0, 'same', { notes: 'm' }),
      put('c', 0, 'back'),
      del('d', 0),
      patch('e', 0, { title: 'of a patch' }),
      put('f', 0, 'first', { done: true }),
    ]
    // A bootstrap leaves it out.
    const tombstone = { op: 'delete', id: 'c', at: noon, by: 'phone' }
    const duplicates = other.map(({ id }) => ({ verdict: 'duplicate', current: stored(id) }))
    const answered = await push(other)
    includes(answered, duplicates.with(2, { verdict: 'duplicate', current: tombstone as never }))
    equal(answered.toSpliced(2, 1), duplicates.toSpliced(2, 1))
    equal(await push([other[1] as SampleChange]), [duplicates[1]])
    // Of several changes of a row, and of two with one stamp in one change set.
    const twice = [
      put('g', 1, 'one'),
      put('g', 1, 'two'),
      put('g', 1, 'one'),
      put('f', 0, 'third'),
      patch('f', 1, { done: true }),
    ]
    equal(
      (await push(twice)).map(({ verdict }) => verdict),
      ['applied', 'duplicate', 'duplicate', 'duplicate', 'applied'],
    )
    equal(counts, [0, 0, 0, 0, 6, 1, 1])
    // Nothing of it is stored.
    const after = (await sync.pull(who)).changes
    equal(
      after.filter(({ id }) => id < 'f'),
      before.filter(({ id }) => id < 'f'),
    )
  },

  'P5 the same change set ten times at the same time applies once': async ({ store, someone }) => {
    const sync = sampleSync(store)
    const who = someone()
    const changes = Array.from({ length: 20 }, (_, n) => put(`r${n}`, 0, 'x'))
    const answers = await Promise.all(Array.from({ length: 10 }, () => sync.push(who, { client: 'a', changes })))
    const verdicts = answers.flatMap((answer) => answer.verdicts.map(({ verdict }) => verdict))
    equal(verdicts.filter((verdict) => verdict === 'applied').length, 20)
    equal(verdicts.filter((verdict) => verdict === 'duplicate').length, 180)
    const { changes: rows } = await sync.pull(who)
    equal(new Set(rows.map(({ position }) => position)).size, 20)
  },
}
