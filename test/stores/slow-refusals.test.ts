import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createImport } from '../../src/bulk/import.ts'
import { migrate } from '../../src/migrations/apply.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { limits } from '../../src/model/limits.ts'
import { libsqlStore } from '../../src/stores/libsql/http.ts'
import type { Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { type HranaServer, startHranaServer } from '../support/hrana-server.ts'
import { noon, principal } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { temporaryFolder } from '../support/temporary.ts'

const deadlineMs = 1_000

/**
 * Each statement takes so long by the step clock of this file, and a request that is not through at
 * its deadline ends as `fetchWithin` ends it.
 */
function fetchSlowly(msPerStatement: () => number): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    const statements = (await request.clone().text()).match(/"stmt":/g)?.length ?? 0
    const ms = statements * msPerStatement()
    vi.advanceTimersByTime(Math.min(ms, deadlineMs))
    if (ms >= deadlineMs) {
      const signal = AbortSignal.timeout(0)
      await once(signal, 'abort')
      signal.throwIfAborted()
    }
    return fetch(request)
  }
}

const list = (id: string, at: number, name: string) =>
  ({ table: 'lists', op: 'put', id, at: noon + at, row: { name } }) as const
type Lists = readonly ReturnType<typeof list>[]
/** So many, of which every second takes a name that is taken. */
const half = (count: number): Lists =>
  Array.from({ length: count }, (_, n) => list(`l${n}`, n, n % 2 ? 'taken' : `n${n}`))

describe('refused changes on a server that is too slow to look for them all', () => {
  let server: HranaServer
  let store: Store
  let drop: () => Promise<void>
  let ms = 0
  let people = 0
  beforeAll(async () => {
    // What a search has spent is told by this; timers go on by themselves.
    vi.useFakeTimers({ toFake: ['performance'] })
    const temporary = await temporaryFolder()
    drop = temporary.drop
    server = await startHranaServer(join(temporary.folder, 'a.db'))
    const at = { url: server.url, fetch: fetchSlowly(() => ms) }
    store = libsqlStore(at)
    const own = 'CREATE UNIQUE INDEX lists_name ON lists (scope, name)'
    await migrate(store, [{ name: '0001_test', statements: [...createTables(schema, 'sqlite'), own] }])
  })
  afterAll(async () => {
    vi.useRealTimers()
    await store.close()
    await server.close()
    await drop()
  })

  const now = () => noon / 1000 + 3_600_000
  async function someone() {
    const who = principal(`u${++people}`)
    ms = 0
    await push(who, [list('taken', -1, 'taken')])
    return who
  }
  async function push(who: ReturnType<typeof principal>, changes: Lists, more: object = {}) {
    const sync = createSync({ schema, store, now })
    const { verdicts } = await sync.push(who, { client: 'a', return: 'lost', changes: [...changes], ...more })
    return verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
  }
  const isBad = ({ row }: Lists[number]) => row.name === 'taken'
  /** What is to be sent again; whatever else was said must be right. */
  function leftOf(changes: Lists, verdicts: readonly string[]): Lists {
    for (const [place, change] of changes.entries())
      expect([isBad(change) ? 'constraint' : 'applied', 'send_fewer']).toContain(verdicts[place])
    return changes.filter((_, place) => verdicts[place] === 'send_fewer')
  }

  it('P12 each request answers, in a bounded number of round trips, and finds out some, until all are', async () => {
    const who = await someone()
    ms = 0.5
    let waiting = half(600)
    for (let requests = 1; waiting.length > 0; requests++) {
      const before = server.requests
      const left = leftOf(waiting, await push(who, waiting))
      expect(server.requests - before).toBeLessThan(2 * limits.refusalTriesMax + 6)
      expect(left.length).toBeLessThan(waiting.length)
      expect(requests).toBeLessThan(20)
      waiting = left
    }
    ms = 0
    const { changes } = await createSync({ schema, store, now }).pull(who)
    expect(changes).toHaveLength(301)
  })

  it('P12 where no try comes to its end, half as many at a time come through', async () => {
    const who = await someone()
    ms = 50
    const changes = half(16)
    expect(new Set(await push(who, changes))).toEqual(new Set(['send_fewer']))
    const lefts: Lists[] = [changes.slice(0, 8), changes.slice(8)]
    for (let left = lefts.shift(), requests = 0; left; left = lefts.shift()) {
      expect(++requests).toBeLessThan(16)
      const again = leftOf(left, await push(who, left))
      const middle = Math.ceil(again.length / 2)
      if (again.length > 0) lefts.push(again.slice(0, middle))
      if (again.length > 1) lefts.push(again.slice(middle))
    }
  })

  it('an atomic change set is refused whole by what was found out, or by send_fewer', async () => {
    const who = await someone()
    ms = 0.1
    await expect(push(who, half(200), { atomic: true })).rejects.toMatchObject({
      code: 'atomic_rejected',
      members: { index: 1, error: { code: 'constraint' } },
    })
    ms = 50
    await expect(push(who, half(16), { atomic: true })).rejects.toMatchObject({
      code: 'atomic_rejected',
      members: { index: 0, error: { code: 'send_fewer', retryable: true } },
    })
  })

  it('P12 an import sends by itself fewer lines at a time, and rejects none that is good', async () => {
    const who = await someone()
    ms = 40
    const operations = createOperations({ schema, store, now })
    const grant = { scope: who.subject, isAllowed: () => true }
    const importChunk = createImport(operations.importChunk, who.subject, {
      client: 'a',
      table: undefined,
      at: undefined,
      grant,
    })
    const result = await importChunk(half(16).map((value, n) => ({ line: n + 1, value })))
    expect(result).toMatchObject({ applied: 8, duplicate: 0, stale: 0 })
    expect(result.rejections.map(({ line, error }) => `${line} ${error.code}`)).toEqual(
      Array.from({ length: 8 }, (_, n) => `${2 * n + 2} constraint`),
    )
  })
})
