import { afterEach, describe, expect, it } from 'vitest'
import { type Store, StoreFault } from '../../src/stores/store.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { decodeRequest } from '../../src/wire/request.ts'
import { noon, principal } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { dialectStores, openTestStore, type TestStore } from '../support/stores.ts'

type Fault = 'before' | 'after'

/**
 * Fails its n-th batch, counted from 1: before the database has seen it, or once it is committed,
 * as a cut line does.
 */
function failingStore(
  store: Store,
  nth: number,
  fault: Fault,
): Store & { readonly calls: number; readonly failed: boolean } {
  let calls = 0
  let failed = false
  return {
    ...store,
    get calls() {
      return calls
    },
    get failed() {
      return failed
    },
    async batch(scope, statements) {
      calls++
      const fails = calls === nth
      failed ||= fails && fault === 'before'
      if (fails && fault === 'before') throw new StoreFault('transient', { message: 'away' })
      const rows = await store.batch(scope, statements)
      failed ||= fails
      if (fails) throw new StoreFault('transient', { message: 'cut at the commit' })
      return rows
    },
  }
}

const put = (scope: string, id: string, at: number) => ({
  ...{ scope, table: 'todos', op: 'put', id, at: noon + at, row: { title: `${id} ${at}` } },
})
/**
 * Two scopes that are written, one that is only read, and a change that only the database can
 * refuse: it looks for that one in halves.
 */
const body = {
  client: 'a',
  cursor: null,
  changes: [
    put('s', 'a', 1),
    put('s', 'b', 1),
    { table: 'todos', op: 'patch', id: 'none', at: noon, row: { done: true } },
    put('s', 'a', 2),
    { ...put('s', 'd', 1), row: { title: 'b 1' } },
    put('team', 'c', 1),
  ],
}

describe.each(dialectStores)('each call of the database that fails on %s', (name) => {
  let opened: TestStore | undefined
  afterEach(async () => {
    await opened?.close()
    opened = undefined
  })

  it.each(['before', 'after'] as const)(
    'P2 P5 P13 %s it took effect: a fault, nothing half done in a scope, and the same again is safe',
    async (fault) => {
      opened = await openTestStore(name)
      const { store } = opened
      const unique = 'CREATE UNIQUE INDEX one_title ON todos (scope, title)'
      await store.batch('', [{ sql: unique, params: [] }])
      const pushWith = (through: Store) => createOperations({ schema, store: through, now: () => noon / 1000 }).push
      const titlesOf = async (scope: string) => {
        const sql = `SELECT id, title FROM todos WHERE scope = '${scope}' ORDER BY id`
        return (await store.batch(scope, [{ sql, params: [] }]))[0]?.map((row) => row.join()) ?? []
      }
      let calls = 0
      for (let nth = 1, done = false; !done; nth++) {
        const who = principal(`s${nth}`, { [`team${nth}`]: 'write', [`read${nth}`]: 'read' })
        const text = JSON.stringify(body).replaceAll('"s"', `"s${nth}"`).replaceAll('"team"', `"team${nth}"`)
        const request = decodeRequest(JSON.parse(text), 'sync')
        const failing = failingStore(store, nth, fault)
        const error = await pushWith(failing)(who, request).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        calls = failing.calls
        done = calls < nth
        // A probe ends by a fault of its own, and is never committed.
        if (failing.failed) expect(error).toMatchObject({ name: 'StoreFault', kind: 'transient' })
        else expect(error).toBeUndefined()
        const [mine, team] = [await titlesOf(`s${nth}`), await titlesOf(`team${nth}`)]
        expect([[], ['a,a 2', 'b,b 1']], `call ${nth}`).toContainEqual(mine)
        expect([[], ['c,c 1']], `call ${nth}`).toContainEqual(team)

        const again = await pushWith(store)(who, request)
        const verdicts = again.verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
        const fresh = (rows: readonly string[]) => (rows.length === 0 ? 'applied' : 'duplicate')
        expect(verdicts, `call ${nth}`).toEqual([
          mine.length === 0 ? 'applied' : 'stale',
          fresh(mine),
          'row_missing',
          fresh(mine),
          'constraint',
          fresh(team),
        ])
        expect(await titlesOf(`s${nth}`)).toEqual(['a,a 2', 'b,b 1'])
        expect(await titlesOf(`team${nth}`)).toEqual(['c,c 1'])
      }
      expect(calls).toBeGreaterThanOrEqual(6)
    },
  )
})
