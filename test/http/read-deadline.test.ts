import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { migrate } from '../../src/migrations/apply.ts'
import { readMigrations } from '../../src/migrations/read.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { neonConfig, neonStore } from '../../src/stores/neon.ts'
import { openStore } from '../../src/stores/open.ts'
import { postgresEdgeStore } from '../../src/stores/postgres/edge.ts'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import type { Store } from '../../src/stores/store.ts'
import { sampleMigrations } from '../support/migrations.ts'
import { startNeonGateway } from '../support/neon-gateway.ts'
import { put } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { createDatabase } from '../support/stores.ts'

const batchMsMax = 2_000

const stores: Readonly<Record<string, (url: string) => Promise<{ store: Store; close: () => unknown }>>> = {
  'the pool of Postgres': async (url) => {
    const store = postgresStore(url, { batchMsMax })
    return { store, close: store.close }
  },
  'Postgres from the edge': async (url) => {
    const store = postgresEdgeStore(url, { batchMsMax })
    return { store, close: store.close }
  },
  "Neon's HTTP": async (url) => {
    const gateway = await startNeonGateway(inject('postgresUrl'))
    neonConfig.fetchEndpoint = () => gateway.fetchEndpoint
    return { store: neonStore(url.replace('127.0.0.1', 'gateway.example'), { batchMsMax }), close: gateway.close }
  },
}

// All wait side by side.
const inTurn = { concurrent: false }
describe.concurrent.each(Object.entries(stores))('P13 a table that somebody locks, over %s', (_, open) => {
  let url: string
  let store: Store
  let close: () => unknown
  let watch: pg.Client
  let holder: pg.Client
  beforeAll(async () => {
    url = await createDatabase()
    const own = await openStore(url)
    await migrate(own, await readMigrations('postgres', sampleMigrations))
    await own.close()
    ;({ store, close } = await open(url))
    ;[watch, holder] = [new pg.Client(url), new pg.Client(url)]
    await Promise.all([watch.connect(), holder.connect()])
  })
  afterAll(async () => {
    await Promise.all([watch.end(), holder.end(), close()])
  })

  /** Backends that wait for a lock. */
  async function waiting(): Promise<number> {
    const { rows } = await watch.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return rows[0].n
  }

  it('holds no pull, stream, push or /health for longer than its deadline, in the database too', inTurn, async () => {
    const app = createApp({ schema, store, auth: { secret: testSecret } })
    const headers = {
      Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice' })}`,
      'Content-Type': 'application/json',
    }
    const pull = (more = {}) => app.request('/v1/pull', { headers: { ...headers, ...more } })
    const change = { ...put('a', 0, 'a'), at: Date.now() * 1000 }
    const push = () =>
      app.request('/v1/push', { method: 'POST', headers, body: JSON.stringify({ client: 'a', changes: [change] }) })
    expect((await push()).status).toBe(200)
    await holder.query('BEGIN')
    await holder.query('LOCK TABLE todos IN ACCESS EXCLUSIVE MODE')
    for (let round = 0; round < 2; round++) {
      const asked = Promise.all([
        ...Array.from({ length: 5 }, () => pull()),
        pull({ Accept: 'application/x-ndjson' }),
        push(),
        app.request('/health'),
      ])
      let most = 0
      let done = false
      void asked.then(() => {
        done = true
      })
      while (!done) {
        most = Math.max(most, await waiting())
        await sleep(20)
      }
      // Readers of one scope hold a part of the connections only.
      expect(most).toBeGreaterThan(2)
      expect((await asked).map(({ status }) => status)).toEqual(Array(8).fill(503))
      // The lock is still held, and soon nobody waits for it.
      while ((await waiting()) > 0) await sleep(20)
    }
    await holder.query('ROLLBACK')
    const answered = async () => expect([(await pull()).status, (await push()).status]).toEqual([200, 200])
    await vi.waitFor(answered, { timeout: 20_000 })
  })

  it('sets its deadline for one batch and leaves the connection as it was', inTurn, async () => {
    const show = (name: string) => ({ sql: `SELECT current_setting('${name}')`, params: [] })
    const timeouts = ['statement_timeout', 'lock_timeout'].map(show)
    expect(await store.batch('a', timeouts)).toEqual([[['1800ms']], [['0']]])
    expect(await store.batch('a', timeouts.slice(0, 1))).toEqual([[['1800ms']]])
    const open =
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    expect((await watch.query(open)).rows[0].n).toBe(0)
  })
})
