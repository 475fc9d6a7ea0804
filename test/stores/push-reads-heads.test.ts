import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileSchema } from '../../src/sql/schema-sql.ts'
import { onePlace, type Store } from '../../src/stores/store.ts'
import { principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { allStoreNames, openTestStore, type TestStore } from '../support/stores.ts'

describe.each(allStoreNames)('the cursor of a push on %s', (name) => {
  let opened: TestStore
  let store: Store
  const sent: (readonly string[])[] = []
  let bytesRead = 0
  beforeAll(async () => {
    opened = await openTestStore(name)
    store = {
      ...opened.store,
      async batch(scope, statements) {
        sent.push(statements.map(({ sql }) => sql))
        const results = await opened.store.batch(scope, statements)
        bytesRead += JSON.stringify(results).length
        return results
      },
    }
  })
  afterAll(() => opened.close())

  it('P9 is held against the heads of its scopes, in the transaction of the push where there is one, and reads no row', async () => {
    const sync = sampleSync(store)
    const who = principal('alice', { team: 'write', news: 'read' })
    const notes = 'x'.repeat(100_000)
    const large = (scope: string) =>
      Array.from({ length: 5 }, (_, n) => ({ ...put(`t${n}`, 0, 'x', { notes }), scope }))
    await sync.push(who, { client: 'a', changes: [...large('alice'), ...large('team')], return: 'lost' })
    const { cursor } = await sync.pull(who)
    const begun = (await sync.pull(who, { limit: 1 })).cursor
    const { page, sizedPage } = compileSchema(schema, store.dialect, store.limits).scope
    const one = (scope: string, id: string) => ({ ...put(id, 1, 'y'), scope })
    const batchesOf = async (request: Omit<Parameters<typeof sync.push>[1], 'client'>) => {
      sent.length = 0
      bytesRead = 0
      await sync.push(who, { client: 'a', return: 'lost', ...request })
      expect(sent.flat()).not.toContain(page)
      expect(sent.flat()).not.toContain(sizedPage)
      expect(bytesRead).toBeLessThan(1_000)
      return sent.length
    }
    for (const [n, from] of [cursor, begun].entries()) {
      // Of one database a batch that looks itself. Else two heads more; news was never written.
      const isOne = store.placeOf === onePlace
      expect(await batchesOf({ cursor: from, changes: [one('alice', `a${n}`)] })).toBe(isOne ? 1 : 3)
      expect(await batchesOf({ cursor: from, changes: [one('alice', `b${n}`), one('team', `b${n}`)] })).toBe(
        isOne ? 1 : 5,
      )
      expect(await batchesOf({ cursor: from })).toBe(isOne ? 1 : 3)
      expect(await batchesOf({ cursor: from, changes: [{ ...put('c', 0, 'c'), scope: 'nobody' }] })).toBe(isOne ? 1 : 3)
    }
    expect(await batchesOf({ cursor: null, changes: [one('alice', 'd')] })).toBe(1)
    expect(await batchesOf({ cursor: null })).toBe(0)
    expect(await batchesOf({})).toBe(0)
    // The pull's half of a sync is as it was.
    const synced = await sync.sync(who, { client: 'a', cursor, changes: [one('alice', 'e')] })
    expect(synced.changes).toHaveLength(7)
  })

  it('P9 P16 below the watermark or of another history it gets 410, and nothing is applied', async () => {
    const sync = sampleSync(store)
    const who = principal('bob', { crew: 'write' })
    const first = [{ ...put('t', 0, 'x'), scope: 'crew' }, put('t', 0, 'x'), put('u', 0, 'x')]
    await sync.push(who, { client: 'a', changes: first })
    const { cursor } = await sync.pull(who, { limit: 1 })
    const whole = (await sync.pull(who)).cursor
    const exec = (scope: string, set: string) =>
      store.batch(scope, [{ sql: `UPDATE driftline_scopes SET ${set} WHERE scope = '${scope}'`, params: [] }])
    const tries = (from: string) =>
      [
        [{ ...put('n', 1, 'n'), scope: 'crew' }],
        [put('n', 1, 'n')],
        [put('n', 1, 'n'), { ...put('n', 1, 'n'), scope: 'crew' }],
        [],
      ].map((changes) =>
        sync
          .push(who, { client: 'a', cursor: from, changes })
          .catch(({ code, members }) => [code, members.reason, members.scopes]),
      )
    await exec('bob', 'position = 9, watermark = 9')
    for (const from of [cursor, whole])
      expect(await Promise.all(tries(from))).toEqual(Array(4).fill(['resync', 'pruned', ['bob']]))
    await exec('bob', `position = 2, watermark = 0, incarnation = 'other'`)
    expect(await Promise.all(tries(whole))).toEqual(Array(4).fill(['resync', 'restored', ['bob']]))
    expect((await sync.pull(who)).changes.map(({ id }) => id)).toEqual(['t', 'u', 't'])
  })
})
