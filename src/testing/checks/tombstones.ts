import { equal, includes } from '../assert.ts'
import type { Checks } from '../check.ts'
import { del, patch, principal, put, type SampleChange, sampleSync } from '../sample.ts'

/** What is deleted. */
export const tombstoneChecks: Checks = {
  'P8 a delete reaches a client that held the row by its verdict before a full page let its scope begin': async ({
    store,
    scope,
  }) => {
    const sync = sampleSync(store)
    const team = scope('team')
    const who = principal(scope('user'), { [team]: 'write' })
    const inTeam = (change: SampleChange) => ({ ...change, scope: team })
    await sync.push(who, { client: 'a', changes: [put('1', 0, 'one'), put('2', 0, 'two')] })
    // The page ends within the first scope; the verdict gives the row of the second.
    const first = await sync.sync(who, { client: 'a', cursor: null, limit: 1, changes: [inTeam(put('x', 0, 'x'))] })
    includes(first.verdicts, [{ verdict: 'applied', current: { scope: team, id: 'x' } }])
    await sync.push(who, { client: 'b', changes: [inTeam(del('x', 1)), inTeam(del('never', 1))] })
    const rest = await sync.pull(who, { cursor: first.cursor ?? null })
    equal(
      rest.changes.map(({ op, id }) => `${op} ${id}`),
      ['put 2', 'delete x', 'delete never'],
    )
  },

  'P8 a late older edit never revives a tombstone, a newer put does, and a tombstone keeps no column': async ({
    store,
    someone,
    exec,
  }) => {
    const sync = sampleSync(store)
    const who = someone()
    await sync.push(who, { client: 'a', changes: [put('a', 0, 'private')] })
    await sync.push(who, { client: 'a', changes: [del('a', 5), del('never seen', 5)] })
    const late = await sync.push(who, {
      client: 'z',
      changes: [
        put('a', 4, 'late'),
        put('never seen', 4, 'late'),
        patch('a', 3, { title: 'x' }),
        patch('never seen', 6, { title: 'x' }),
      ],
    })
    includes(late.verdicts, [
      { verdict: 'stale', current: { op: 'delete', id: 'a' } },
      { verdict: 'stale', current: { op: 'delete', id: 'never seen' } },
      { verdict: 'stale' },
      { verdict: 'rejected', error: { code: 'row_missing' } },
    ])
    const [first] = late.verdicts
    equal(first?.verdict === 'stale' && 'row' in first.current, false)
    const stored = `SELECT title, done, priority FROM todos WHERE scope = '${who.subject}' AND id = 'a'`
    equal(
      (await exec(who.subject, stored))[0]?.map((cells) => [...cells]),
      [[null, null, null]],
    )
    const revived = await sync.push(who, { client: 'a', changes: [put('a', 6, 'back')] })
    includes(revived.verdicts, [
      { verdict: 'applied', action: 'updated', current: { op: 'put', row: { title: 'back' } } },
    ])
  },

  'P8 a bootstrap leaves out older tombstones, but not that of a row deleted between two of its pages': async ({
    store,
    someone,
  }) => {
    const sync = sampleSync(store)
    const who = someone()
    const changes = [put('a', 0, 'x'), put('b', 0, 'x'), del('gone', 0), put('c', 0, 'x')]
    await sync.push(who, { client: 'a', changes })
    const first = await sync.pull(who, { limit: 1 })
    equal(
      first.changes.map(({ id }) => id),
      ['a'],
    )
    await sync.push(who, { client: 'b', changes: [del('a', 1)] })
    const rest = await sync.pull(who, { cursor: first.cursor })
    equal(
      rest.changes.map(({ op, id }) => `${op} ${id}`),
      ['put b', 'put c', 'delete a'],
    )
  },
}
