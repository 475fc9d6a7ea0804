import { equal, includes } from '../assert.ts'
import type { Checks } from '../check.ts'
import { principal, put, sampleSync } from '../sample.ts'

/** Who sees what. */
export const scopeChecks: Checks = {
  'P11 a scope that was revoked is named, its rows are not sent, and a granted one bootstraps by itself': async ({
    store,
    scope,
  }) => {
    const sync = sampleSync(store)
    const [user, team] = [scope('user'), scope('team')]
    const [before, after] = [principal(user, { [team]: 'write' }), principal(user)]
    const changes = [put('mine', 0, 'x'), { ...put('theirs', 0, 'x'), scope: team }]
    await sync.push(before, { client: 'a', changes })
    const { cursor } = await sync.pull(before)
    const revoked = await sync.pull(after, { cursor })
    includes(revoked, { changes: [], removed_scopes: [team] })
    equal((await sync.pull(after, { cursor: revoked.cursor })).removed_scopes, undefined)
    const granted = await sync.pull(before, { cursor: revoked.cursor })
    equal(
      granted.changes.map(({ id }) => id),
      ['theirs'],
    )
  },

  'P11 a reader may not write, and nobody sees or writes a scope that he was not granted': async ({ store, scope }) => {
    const sync = sampleSync(store)
    const team = scope('team')
    const [owner, reader, foreign] = [principal(team), principal(scope('user'), { [team]: 'read' }), principal(scope('user'))] // biome-ignore format: one line
    await sync.push(owner, { client: 'a', changes: [put('a', 0, 'x')] })
    for (const who of [reader, foreign]) {
      const { verdicts } = await sync.push(who, { client: 'a', changes: [{ ...put('a', 1, 'y'), scope: team }] })
      includes(verdicts, [{ verdict: 'rejected', error: { code: 'forbidden_scope' } }])
    }
    includes((await sync.pull(reader)).changes, [{ scope: team, id: 'a', row: { title: 'x' } }])
    equal((await sync.pull(foreign)).changes, [])
  },
}
