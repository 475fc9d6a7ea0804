import { pingStore } from '../../stores/store.ts'
import { equal } from '../assert.ts'
import { type Checks, read } from '../check.ts'
import { put, sampleSync } from '../sample.ts'
import { makeWords } from '../words.ts'

/** Where scopes live. */
export const placeChecks: Checks = {
  'P11 scopes share a database where placeOf gives them one place, and only there': async (trial) => {
    const { placeOf } = trial.store
    if (!placeOf) return
    const many = await Promise.all(Array.from({ length: 4 }, () => makeWords(trial)))
    for (const words of many) await words.batch(words.remove(1))
    const [first, ...others] = many
    if (!first) return
    await first.batch(first.add(1, 'shared'))
    const place = await placeOf(first.scope)
    for (const { scope, stored } of others) {
      const isShared = (await placeOf(scope)) === place
      equal(await stored(), isShared ? ['1 shared'] : [])
    }
  },

  'a scope that was written stays where it is': async (trial) => {
    const { placeOf } = trial.store
    if (!placeOf) return
    const { scope, batch, add } = await makeWords(trial)
    const place = await placeOf(scope)
    await batch(add(1, 'one'))
    equal(await placeOf(scope), place)
    equal(await placeOf(scope), place)
  },

  'answers for a scope that was never written, by a pull and by a batch that reads': async ({ store, someone }) => {
    const who = someone()
    const { changes, more } = await sampleSync(store).pull(who)
    equal([changes, more], [[], false])
    const sql = `SELECT scope FROM driftline_scopes WHERE scope = ${store.dialect.param(1)}`
    equal(await store.batch(who.subject, [read(sql, who.subject)]), [[]])
    equal((await sampleSync(store).push(who, { client: 'a', changes: [put('a', 0, 'x')] })).verdicts.length, 1)
  },

  'answers a ping while its databases answer': async ({ store }) => {
    await pingStore(store, [read('SELECT 1 AS one')])
  },
}
