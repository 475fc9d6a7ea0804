import { equal, includes } from '../assert.ts'
import type { Checks } from '../check.ts'
import { createTestClock } from '../clock.ts'
import { del, patch, principal, put, type SampleChange, sampleSync } from '../sample.ts'

type Op = SampleChange['op']

/** Which of two changes wins. */
export const stampChecks: Checks = {
  ...Object.fromEntries(
    (['put', 'patch', 'delete'] as const satisfies Op[]).map((op) => [
      `P6 of two stamps at the same time the greater client wins, for a ${op}`,
      async ({ store, someone }) => {
        const sync = sampleSync(store)
        const who = someone()
        const change = (title: string) =>
          op === 'put' ? put('a', 5, title) : op === 'patch' ? patch('a', 5, { title }) : del('a', 5)
        await sync.push(who, { client: 'z', changes: [put('a', 0, 'first')] })
        const verdicts: string[] = []
        for (const client of ['b', 'a', 'c', 'B', 'c']) {
          const answer = await sync.push(who, { client, changes: [change(client)] })
          verdicts.push(...answer.verdicts.map(({ verdict }) => verdict))
        }
        // A patch finds the row alive each time; the others too. ASCII: B is before b.
        equal(verdicts, ['applied', 'stale', 'applied', 'stale', 'duplicate'])
      },
    ]) satisfies [string, Checks[string]][],
  ),

  'P10 no stamp beyond the bound is stored, and the same one is taken once the clock has come near': async ({
    store,
    someone,
  }) => {
    const clock = createTestClock()
    const sync = sampleSync(store, clock.now)
    const who = someone()
    const ahead = createTestClock(clock.now() + 5 * 60_000)
    const push = async (at: number) => {
      const { verdicts } = await sync.push(who, { client: 'a', changes: [{ ...put('a', 0, 'x'), at }] })
      return verdicts
    }
    includes(await push(ahead.now() * 1000 + 1), [{ verdict: 'rejected', error: { code: 'clock_ahead' } }])
    equal((await sync.pull(who)).changes, [])
    clock.step(1)
    includes(await push(ahead.now() * 1000 + 1), [{ verdict: 'applied', action: 'inserted' }])
  },

  "a client's name is a label: two subjects may write by one, and neither does more by it than by a stamp": async ({
    store,
    scope,
  }) => {
    const sync = sampleSync(store)
    const [team, anasOwn, evesOwn] = [scope('label'), scope('ana'), scope('eve')]
    const [ana, eve] = [principal(anasOwn, { [team]: 'write' }), principal(evesOwn, { [team]: 'write' })]
    const shared = (change: SampleChange) => ({ ...change, scope: team })
    const push = async (who: typeof ana, ...changes: SampleChange[]) =>
      (await sync.push(who, { client: 'phone', changes })).verdicts
    await push(ana, put('private', 0, 'mine'))
    await push(eve, shared(put('a', 1, 'first')))
    // The very same stamp: the first one stays, and whoever comes second is shown it.
    includes(await push(ana, shared(put('a', 1, 'second'))), [
      { verdict: 'duplicate', current: { by: 'phone', row: { title: 'first' } } },
    ])
    // A greater one of either wins, a lesser one is stale, as between two clients.
    includes(await push(ana, shared(put('a', 2, 'ana'))), [{ verdict: 'applied' }])
    includes(await push(eve, shared(put('a', 1, 'eve'))), [{ verdict: 'stale' }])
    // Nothing is hidden from a pull by the name of who wrote it, and no other scope comes with it.
    const pulled = async (who: typeof ana) => (await sync.pull(who)).changes.map((one) => `${one.scope} ${one.id}`)
    equal(await pulled(ana), [`${anasOwn} private`, `${team} a`])
    equal(await pulled(eve), [`${team} a`])
    includes(await push(eve, { ...put('private', 3, 'eve'), scope: anasOwn }), [
      { verdict: 'rejected', error: { code: 'forbidden_scope', retryable: 'with_another_token' } },
    ])
  },
}
