import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { limits } from '../../src/model/limits.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { readsOnly, type Store, StoreFault } from '../../src/stores/store.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { dialectStores, openTestStore, type TestStore } from '../support/stores.ts'

const chunk = limits.importLinesMax
const lines = Array.from({ length: 3 * chunk }, (_, n) =>
  JSON.stringify({ table: 'lists', op: 'put', id: `l${n}`, at: 1_700_000_000_000_000, row: { name: `n${n}` } }),
)

describe.each(dialectStores)('an import over HTTP whose database goes away, %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())

  /**
   * An app whose database is lost at its n-th write: before the batch, or after it was committed.
   */
  function appFailingAt(n: number, committed: boolean) {
    let calls = 0
    const batch: Store['batch'] = async (scope, statements) => {
      if (readsOnly(statements)) return opened.store.batch(scope, statements)
      const isLost = ++calls >= n
      if (isLost && !committed) throw new StoreFault('transient', { message: 'gone' })
      const results = await opened.store.batch(scope, statements)
      if (isLost) throw new StoreFault('transient', { message: 'gone' })
      return results
    }
    return createApp({ schema, store: { ...opened.store, batch }, auth: { secret: testSecret } })
  }

  async function send(app: ReturnType<typeof createApp>, sub: string) {
    const headers = {
      Authorization: `Bearer ${await signToken(testSecret, { sub })}`,
      'Content-Type': 'application/x-ndjson',
    }
    const answer = await app.request('/v1/import', { method: 'POST', headers, body: lines.join('\n') })
    const said = (await answer.text()).trimEnd().split('\n')
    return { status: answer.status, said: said.map((one) => JSON.parse(one)) }
  }

  const cases = [1, 2, 3].flatMap((n) => [false, true].map((committed) => [n, committed] as const))
  it.each(cases)(
    'P2 P5 P13 at write %i, committed %s: what was said to be taken is there, and no chunk is half there',
    async (n, committed) => {
      const sub = `user-${n}-${committed}`
      const { status, said } = await send(appFailingAt(n, committed), sub)
      const taken = said.findLast((one) => 'lines' in one)?.lines ?? 0
      expect(taken).toBe((n - 1) * chunk)
      if (n === 1) expect([status, said[0].code]).toEqual([503, 'unavailable'])
      else
        expect([status, said.at(-1)]).toMatchObject([
          200,
          { problem: { code: 'unavailable', status: 503, retryable: true } },
        ])
      const count = await opened.store.batch(sub, [
        { sql: `SELECT count(*) FROM lists WHERE scope = '${sub}'`, params: [] },
      ])
      expect(Number(count[0]?.[0]?.[0])).toBe((n - (committed ? 0 : 1)) * chunk)

      const again = await send(appFailingAt(Number.POSITIVE_INFINITY, false), sub)
      expect(again.said.at(-1)).toEqual({
        ...{ lines: 3 * chunk, rejected: 0, stale: 0, done: true },
        applied: (committed ? 3 - n : 4 - n) * chunk,
        duplicate: (committed ? n : n - 1) * chunk,
      })
    },
  )
})
