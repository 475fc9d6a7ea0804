import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import { principal, put, sampleSync } from '../support/sample.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

/** Readers wait for a table that somebody has locked, so that they can be counted. */
describe('readers of one scope, on Postgres', { timeout: 60_000 }, () => {
  let opened: TestStore
  let other: pg.Client
  /** What a transaction sees of the others' activity stands still. */
  let watcher: pg.Client
  beforeAll(async () => {
    opened = await openTestStore('postgres')
    other = new pg.Client({ connectionString: opened.url })
    watcher = new pg.Client({ connectionString: opened.url })
    await Promise.all([other.connect(), watcher.connect()])
  }, 60_000)
  afterAll(async () => {
    await Promise.all([other.end(), watcher.end()])
    await opened.close()
  })

  const backends = async () => {
    const { rows } = await watcher.query(
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    return rows[0].count as number
  }
  const until = async (isDone: () => Promise<boolean> | boolean) => {
    for (let tries = 0; tries < 400 && !(await isDone()); tries++) await new Promise((go) => setTimeout(go, 10))
  }

  it.each([
    ['a quarter of the connections', {}, 8, 2],
    ['as many connections as a setting says', { scopeConnectionsMax: 3 }, 8, 3],
    ['one connection of a few', {}, 3, 1],
  ])('hold %s, and those of another scope get theirs meanwhile', async (_, more, connectionsMax, most) => {
    const store = postgresStore(opened.url, { connectionsMax, ...more })
    const sync = sampleSync(store)
    try {
      await sync.push(principal('busy'), { client: 'phone', changes: [put('a', 0, 'a')] })
      await other.query('BEGIN')
      await other.query('LOCK TABLE todos IN ACCESS EXCLUSIVE MODE')
      const pulls = Promise.all(Array.from({ length: 32 }, () => sync.pull(principal('busy'))))
      await until(async () => (await backends()) >= most)
      const others = sync.pull(principal('calm'))
      await until(async () => (await backends()) > most)
      // The busy scope's readers at their share, and the calm one's: all others wait outside of the
      // database.
      expect(await backends()).toBe(most + 1)
      await other.query('COMMIT')
      expect((await others).changes).toEqual([])
      for (const { changes } of await pulls) expect(changes).toHaveLength(1)
    } finally {
      await other.query('ROLLBACK')
      await store.close()
    }
  })
})
