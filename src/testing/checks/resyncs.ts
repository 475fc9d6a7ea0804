import type { Problem } from '../../model/errors.ts'
import type { Principal } from '../../model/principal.ts'
import type { Sync } from '../../sync/create-sync.ts'
import { equal, fails } from '../assert.ts'
import type { Checks } from '../check.ts'
import { del, principal, put, type Sample, sampleSync } from '../sample.ts'

const two = [put('a', 0, 'x'), put('b', 0, 'x')]
const another = [put('c', 0, 'x')]

/** A cursor that is too old for a pull is too old for a push and a sync as well. */
async function meetsResync(sync: Sync<Sample>, who: Principal, cursor: string | null | undefined, members: object) {
  const expected = { name: 'Problem', code: 'resync', members }
  const old = cursor ?? null
  await fails(sync.push(who, { client: 'a', cursor: old, changes: another }), expected)
  await fails(sync.sync(who, { client: 'a', cursor: old, changes: another }), expected)
  return (await fails(sync.pull(who, { cursor: old }), expected)) as Problem
}

/** Cursors of another time, and of another database. */
export const resyncChecks: Checks = {
  'P9 a cursor below the watermark gets 410 in a pull and in a push, which applies nothing': async ({
    store,
    someone,
    exec,
  }) => {
    const sync = sampleSync(store)
    const who = someone()
    const idsOf = ({ changes }: { readonly changes: readonly { readonly id: string }[] }) => changes.map(({ id }) => id)
    const { cursor } = await sync.sync(who, { client: 'a', cursor: null, changes: two })
    const begun = await sync.pull(who, { limit: 1 })
    await sync.push(who, { client: 'b', changes: [del('b', 1)] })
    await exec(who.subject, `UPDATE driftline_scopes SET watermark = 3 WHERE scope = '${who.subject}'`)
    const pruned = { reason: 'pruned', scopes: [who.subject] }
    const problem = await meetsResync(sync, who, cursor, pruned)
    await meetsResync(sync, who, begun.cursor, pruned)
    const fresh = await sync.pull(who, { limit: 1 })
    equal(idsOf(fresh), ['a'])
    equal((await sync.pull(who, { cursor: fresh.cursor })).more, false)
    const { cursor: without } = problem.members as { readonly cursor: string }
    const resynced = await sync.sync(who, { client: 'a', cursor: without, changes: another })
    equal(idsOf({ changes: resynced.changes ?? [] }), ['a'])
  },

  'P9 a stale cursor of one scope stops the push to another, and to both': async ({ store, scope, exec }) => {
    const sync = sampleSync(store)
    const other = scope('other')
    const who = principal(scope('two'), { [other]: 'write' })
    const both = (id: string) => [put(id, 0, 'x'), { ...put(id, 0, 'x'), scope: other }]
    const { cursor = null } = await sync.sync(who, { client: 'a', cursor: null, changes: both('a') })
    await exec(other, `UPDATE driftline_scopes SET incarnation = 'new' WHERE scope = '${other}'`)
    const expected = { code: 'resync', members: { reason: 'restored', scopes: [other] } }
    await fails(sync.push(who, { client: 'a', cursor, changes: both('b') }), expected)
    await fails(sync.sync(who, { client: 'a', cursor, changes: [put('b', 0, 'x')] }), expected)
    equal(
      (await sync.pull(who)).changes.map(({ id }) => id),
      ['a', 'a'],
    )
  },

  'P16 a restored or swapped database is noticed by a pull and by a push, which writes nothing': async ({
    store,
    someone,
    exec,
  }) => {
    const sync = sampleSync(store)
    const who = someone()
    const { cursor } = await sync.sync(who, { client: 'a', cursor: null, changes: two })
    const restored = { reason: 'restored', scopes: [who.subject] }
    const ofScope = `driftline_scopes WHERE scope = '${who.subject}'`
    await exec(who.subject, `UPDATE driftline_scopes SET position = 1 WHERE scope = '${who.subject}'`)
    await meetsResync(sync, who, cursor, restored)
    await exec(who.subject, `DELETE FROM ${ofScope}`)
    await meetsResync(sync, who, cursor, restored)
    equal((await exec(who.subject, `SELECT scope FROM ${ofScope}`))[0]?.length, 0)
  },
}
