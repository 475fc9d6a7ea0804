import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresStore } from '../src/stores/postgres.ts'
import { startFaultProxy } from './support/fault-proxy.ts'
import { alice, del, noon, patch, put, sampleSync } from './support/sample.ts'
import { openTestStore, type TestStore } from './support/stores.ts'

/**
 * Two sessions on every guarded statement, on a real Postgres. The rival is a plain session whose transaction is held
 * open by us, so the order is given by locks, never by sleeping.
 */
describe('races on Postgres', () => {
  let opened: TestStore
  let rival: pg.Client
  beforeAll(async () => {
    opened = await openTestStore('postgres')
    rival = new pg.Client({ connectionString: opened.url })
    await rival.connect()
  })
  afterAll(async () => {
    await rival.end()
    await opened.close()
  })

  /** Writes a row as another driftline would, without the scope lock, so that only the guard of the statement decides. */
  const write = (id: string, at: number, title: string) =>
    rival.query(
      `INSERT INTO todos AS t (scope, id, updated_at, updated_by, deleted, position, created_position, title, done, priority)
       VALUES ('alice', $1, $2, 'rival', false, 0, 0, $3, false, 0)
       ON CONFLICT (scope, id) DO UPDATE SET title = excluded.title, updated_at = excluded.updated_at, updated_by = 'rival'
       WHERE (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by)`,
      [id, noon + at, title],
    )

  /** Waits until some session of this database waits for a lock. */
  async function untilBlocked() {
    for (;;) {
      const { rows } = await rival.query(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      if (rows[0].n > 0) return
    }
  }

  async function race(
    rivals: () => Promise<unknown>,
    push: () => Promise<{ verdicts: readonly { verdict: string }[] }>,
  ) {
    await rival.query('BEGIN')
    await rivals()
    const pushed = push()
    await untilBlocked()
    await rival.query('COMMIT')
    return (await pushed).verdicts
  }

  it.each([
    ['put', 10, 'stale'],
    ['put', -10, 'applied'],
    ['delete', 10, 'stale'],
    ['delete', -10, 'applied'],
    ['patch', 10, 'stale'],
    ['patch', -10, 'applied'],
  ] as const)('P2 a %s that waits for a rival update at %d ends %s', async (op, at, verdict) => {
    const sync = sampleSync(opened.store)
    const id = `update-${op}-${at}`
    await sync.push(alice, { client: 'm', changes: [put(id, -100, 'first')] })
    const change = op === 'put' ? put(id, 0, 'mine') : op === 'patch' ? patch(id, 0, { title: 'mine' }) : del(id, 0)
    const verdicts = await race(
      () => write(id, at, 'rival'),
      () => sync.push(alice, { client: 'm', changes: [change] }),
    )
    expect(verdicts[0]?.verdict).toBe(verdict)
    if (verdict === 'stale') expect(verdicts[0]).toMatchObject({ current: { row: { title: 'rival' }, by: 'rival' } })
  })

  it.each([
    ['put', 10, 'stale'],
    ['put', -10, 'applied'],
    ['delete', 10, 'stale'],
    ['delete', -10, 'applied'],
  ] as const)(
    'P2 a %s that waits for a rival INSERT at %d ends %s and answers with the row that won',
    async (op, at, verdict) => {
      const sync = sampleSync(opened.store)
      const id = `insert-${op}-${at}`
      await sync.push(alice, { client: 'm', changes: [put('other', -100, 'lock row exists')] })
      const verdicts = await race(
        () => write(id, at, 'rival'),
        () => sync.push(alice, { client: 'm', changes: [op === 'put' ? put(id, 0, 'mine') : del(id, 0)] }),
      )
      expect(verdicts[0]?.verdict).toBe(verdict)
      if (verdict === 'stale') expect(verdicts[0]).toMatchObject({ current: { row: { title: 'rival' } } })
    },
  )

  it('P3 a slow transaction that takes its positions first is never skipped by a reader', async () => {
    const sync = sampleSync(opened.store)
    const who = { subject: 'slow', scopes: new Map([['slow', 'write' as const]]) }
    const { cursor } = await sync.sync(who, { client: 'a', cursor: null, changes: [put('0', 0, 'begin')] })
    await rival.query('BEGIN')
    await rival.query(`UPDATE driftline_scopes SET position = position + 1 WHERE scope = 'slow'`)
    await rival.query(
      `INSERT INTO todos (scope, id, updated_at, updated_by, deleted, position, created_position, title, done, priority)
       SELECT 'slow', 'slow', 1, 'rival', false, position, position, 'slow', false, 0 FROM driftline_scopes WHERE scope = 'slow'`,
    )
    const fast = sync.push(who, { client: 'b', changes: [put('fast', 1, 'fast')] })
    await untilBlocked()
    const between = await sync.pull(who, { cursor: cursor ?? null })
    expect(between.changes).toEqual([])
    await rival.query('COMMIT')
    await fast
    const after = await sync.pull(who, { cursor: between.cursor })
    expect(after.changes.map(({ id }) => id)).toEqual(['slow', 'fast'])
  })

  it('P13 a network that falls silent in the middle of a push locks its scope no longer than a push may take', async () => {
    const proxy = await startFaultProxy(Number(new URL(opened.url).port), () => ({
      kind: 'black hole',
      direction: 'up',
      after: 20_000,
    }))
    proxy.turn('bad')
    const through = new URL(opened.url)
    through.port = String(proxy.port)
    const silent = postgresStore(through.href, { batchMsMax: 1_000 })
    const changes = Array.from({ length: 500 }, (_, n) => put(`silent${n}`, 0, 'x'.repeat(100)))
    await expect(sampleSync(silent).push(alice, { client: 'm', changes })).rejects.toMatchObject({ kind: 'transient' })
    // The first statement, which locks the scope, has arrived; the backend waits for the rest, and for no answer.
    const other = await sampleSync(opened.store).push(alice, { client: 'n', changes })
    expect(new Set(other.verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['applied']))
    proxy.close()
    await silent.close()
  })

  it('P2 P3 sixteen writers and a reader on one scope: nothing lost, nothing skipped, positions in order', async () => {
    const stores = [postgresStore(opened.url), postgresStore(opened.url)]
    const syncs = stores.map((store) => sampleSync(store))
    const who = { subject: 'hot', scopes: new Map([['hot', 'write' as const]]) }
    let writing = true
    const seen = new Map<string, number>()
    const reader = (async () => {
      let cursor: string | null = null
      for (let last = false; !last; ) {
        last = !writing
        const page: Awaited<ReturnType<(typeof syncs)[0]['pull']>> = await (syncs[0] as (typeof syncs)[0]).pull(who, {
          cursor,
          limit: 50,
        })
        const positions = page.changes.map(({ position }) => position)
        expect(positions).toEqual(positions.toSorted((a, b) => a - b))
        for (const { id, position } of page.changes) seen.set(id, position)
        cursor = page.cursor
        if (page.more) last = false
      }
    })()
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let round = 0; round < 12; round++) {
        const changes = Array.from({ length: 5 }, (_, n) => put(`${writer}-${round}-${n}`, round, 'x')).concat(
          put('shared', writer * 100 + round, `w${writer}`),
        )
        const answer = await (syncs[writer % 2] as (typeof syncs)[0]).push(who, { client: `w${writer}`, changes })
        for (const verdict of answer.verdicts.slice(0, 5)) expect(verdict.verdict).toBe('applied')
      }
    })
    await Promise.all(writers)
    writing = false
    await reader
    expect(seen.size).toBe(16 * 12 * 5 + 1)
    const { rows } = await rival.query(`SELECT id, position::int FROM todos WHERE scope = 'hot'`)
    for (const { id, position } of rows) expect(seen.get(id), id).toBe(position)
    expect(new Set(rows.map(({ position }) => position)).size).toBe(rows.length)
    expect(rows.find(({ id }) => id === 'shared')).toBeDefined()
    await Promise.all(stores.map((store) => store.close()))
  })
})
