import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { migrate } from '../../src/migrations/apply.ts'
import { prune } from '../../src/prune/prune.ts'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { alice, del, noon, patch, principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

/**
 * Two sessions on every guarded statement, on a real Postgres. The rival is a plain session whose
 * transaction is held open by us, so the order is given by locks, never by sleeping.
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

  /**
   * Writes a row as another driftline would, without the scope lock, so that only the guard of the
   * statement decides.
   */
  const write = (id: string, at: number, title: string) =>
    rival.query(
      `INSERT INTO todos AS t (scope, id, updated_at, updated_by, deleted, position, created_position, title, done, priority)
       VALUES ('alice', $1, $2, 'rival', false, 0, 0, $3, false, 0)
       ON CONFLICT (scope, id) DO UPDATE SET title = excluded.title, updated_at = excluded.updated_at, updated_by = 'rival'
       WHERE (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by)`,
      [id, noon + at, title],
    )

  /** Waits until so many sessions of this database wait for a lock. */
  async function untilBlocked(sessions = 1) {
    for (;;) {
      // Within a transaction the first look at the sessions is kept.
      await rival.query('SELECT pg_stat_clear_snapshot()')
      const { rows } = await rival.query(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      if (rows[0].n >= sessions) return
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

  /**
   * Starts each as soon as the one before waits for the lock that `hold` takes, then lets go: the
   * lock is handed on in that order.
   */
  async function inOrder<Result>(hold: string, runs: readonly (() => Promise<Result>)[]): Promise<Result[]> {
    await rival.query('BEGIN')
    await rival.query(hold)
    const begun: Promise<Result>[] = []
    for (const [n, run] of runs.entries()) {
      begun.push(run())
      await untilBlocked(n + 1)
    }
    await rival.query('COMMIT')
    return Promise.all(begun)
  }
  const holdScope = (scope: string) => `SELECT 1 FROM driftline_scopes WHERE scope = '${scope}' FOR UPDATE`

  const orders = ['123', '132', '213', '231', '312', '321']
  it.each(orders)(
    'P2 P5 three pushes of one row that get the lock in the order %s end with the greatest stamp',
    async (order) => {
      const who = principal(`order${order}`)
      const sync = sampleSync(opened.store)
      await sync.push(who, { client: 'm', changes: [put('row', 0, 'first')] })
      const stamps = [...order].map(Number)
      const push = (at: number) => () =>
        sync.push(who, { client: `c${at}`, changes: [put('row', at, `at ${at}`), put(`own${at}`, at, 'x')] })
      const answers = await inOrder(holdScope(who.subject), stamps.map(push))
      const positionOf = (n: number) => {
        const own = answers[n]?.verdicts[1]
        return own?.verdict === 'applied' ? (own.current?.position ?? 0) : 0
      }
      // Who waits longest comes first; of the two others Postgres takes either.
      const taken = [0, 1, 2].toSorted((a, b) => positionOf(a) - positionOf(b))
      expect([taken[0], taken.map(positionOf)]).toEqual([0, [3, 5, 7]])
      let greatest = 0
      for (const n of taken) {
        const at = stamps[n] ?? 0
        const verdict = at > greatest ? 'applied' : 'stale'
        greatest = Math.max(greatest, at)
        expect(answers[n]?.verdicts[0]).toMatchObject({ verdict, current: { row: { title: `at ${greatest}` } } })
      }
      const { changes } = await sync.pull(who)
      expect(changes.find(({ id }) => id === 'row')).toMatchObject({ row: { title: 'at 3' } })
    },
  )

  it.each(['prune', 'push'] as const)(
    'P9 a prune and a push with a cursor from before, where the %s gets the lock first',
    async (first) => {
      const who = principal(`prune-${first}`)
      const sync = sampleSync(opened.store)
      await sync.push(who, { client: 'm', changes: [put('gone', 0, 'x'), put('kept', 0, 'x')] })
      const { cursor } = await sync.pull(who)
      await sync.push(who, { client: 'm', changes: [del('gone', 1)] })
      const runs = {
        prune: async () => {
          await prune(opened.store, schema, { retentionMs: 0 })
          return 'pruned'
        },
        push: () =>
          sync.sync(who, { client: 'n', cursor, changes: [put('new', 2, 'x')] }).then(
            ({ verdicts, changes }) => `${verdicts[0]?.verdict} ${changes?.map(({ op, id }) => `${op} ${id}`)}`,
            (error) => error.code,
          ),
      }
      const second = first === 'prune' ? 'push' : 'prune'
      const ended = await inOrder(holdScope(who.subject), [runs[first], runs[second]])
      const ids = (await sync.pull(who)).changes.map(({ id }) => id)
      // Either it is told of the tombstone, or it must resync and has applied nothing.
      expect([ended, ids]).toEqual(
        first === 'prune'
          ? [['pruned', 'resync'], ['kept']]
          : [
              ['applied delete gone', 'pruned'],
              ['kept', 'new'],
            ],
      )
    },
  )

  it('P2 P3 a migration that waits for a push, and a push that waits for the migration, both come to their end', async () => {
    const who = principal('migrated')
    const sync = sampleSync(opened.store)
    const other = postgresStore(opened.url)
    await sync.push(who, { client: 'm', changes: [put('row', 0, 'x')] })
    const extra = { name: '0002_extra', statements: ['ALTER TABLE todos ADD COLUMN extra text'] }
    const first = { name: '0001_test', statements: [] }
    const push = (at: number) => async () =>
      (await sync.push(who, { client: 'm', changes: [put('row', at, 'x')] })).verdicts[0]?.verdict
    // The first push has locked its scope and waits within the table; the second waits for the
    // first or for the table.
    const hold = `SELECT 1 FROM todos WHERE scope = 'migrated' AND id = 'row' FOR UPDATE`
    const ended = await inOrder<unknown>(hold, [push(1), () => migrate(other, [first, extra]), push(2)])
    expect(ended).toEqual(['applied', ['0002_extra'], 'applied'])
    await other.close()
  })

  it.each(['put', 'patch', 'delete'] as const)(
    'P13 a push locks its rows in the order of their stamps, each a %s: who takes them so beside it meets no deadlock',
    async (op) => {
      const who = principal(`sorted-${op}`)
      const sync = sampleSync(opened.store)
      const ids = ['a', 'b', 'c', 'd']
      await sync.push(who, { client: 'm', changes: ids.map((id) => put(id, 0, 'x')) })
      const touch = (id: string) =>
        rival.query(`UPDATE todos SET notes = 'rival' WHERE scope = '${who.subject}' AND id = '${id}'`)
      const changeOf = (id: string, at: number) =>
        op === 'put' ? put(id, at, 'y') : op === 'patch' ? patch(id, at, { title: 'y' }) : del(id, at)
      await rival.query('BEGIN')
      await touch('a')
      const pushed = sync.push(who, { client: 'm', changes: ids.map((id, n) => changeOf(id, n + 1)).toReversed() })
      await untilBlocked()
      // It waits for the first row and holds none: the others can be had at once.
      await rival.query(`SET LOCAL lock_timeout = '1s'`)
      for (const id of ids.slice(1)) await touch(id)
      await rival.query('COMMIT')
      expect((await pushed).verdicts.map(({ verdict }) => verdict)).toEqual(ids.map(() => 'applied'))
    },
  )

  it('P13 a push that Postgres picks as the victim of a deadlock is run again and answered', async () => {
    const who = principal('deadlock')
    const sync = sampleSync(opened.store)
    await sync.push(who, { client: 'm', changes: [put('a', 0, 'x'), put('b', 0, 'x')] })
    const touch = (id: string) => `UPDATE todos SET notes = 'rival' WHERE scope = 'deadlock' AND id = '${id}'`
    await rival.query('BEGIN')
    // So the push, which waits for a second at the most, is the one that finds it.
    await rival.query(`SET LOCAL deadlock_timeout = '60s'`)
    await rival.query(touch('b'))
    const pushed = sync.push(who, { client: 'm', changes: [put('a', 1, 'mine'), put('b', 1, 'mine')] })
    await untilBlocked()
    await rival.query(touch('a'))
    await rival.query('COMMIT')
    expect((await pushed).verdicts.map(({ verdict }) => verdict)).toEqual(['applied', 'applied'])
    const { rows } = await rival.query(
      'SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()',
    )
    expect(rows[0].n).toBeGreaterThan(0)
  })

  /** A store whose connections fall silent, in one direction, after so many bytes. */
  async function silentStore(direction: 'up' | 'down', after: number) {
    const proxy = await startFaultProxy(Number(new URL(opened.url).port), () => ({
      kind: 'black hole',
      direction,
      after,
    }))
    proxy.turn('bad')
    const through = new URL(opened.url)
    through.port = String(proxy.port)
    const store = postgresStore(through.href, { batchMsMax: 1_000 })
    return { sync: sampleSync(store), close: () => store.close().finally(proxy.close) }
  }
  const many = Array.from({ length: 500 }, (_, n) => put(`silent${n}`, 0, 'x'.repeat(100)))

  it('P13 a network that falls silent in the middle of a push locks its scope no longer than a push may take', async () => {
    const silent = await silentStore('up', 20_000)
    const push = silent.sync.push(alice, { client: 'm', changes: many })
    await expect(push).rejects.toMatchObject({ kind: 'transient' })
    // The first statement, which locks the scope, has arrived; the backend waits for the rest, and
    // for no answer.
    const other = await sampleSync(opened.store).push(alice, { client: 'n', changes: many })
    expect(new Set(other.verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['applied']))
    await silent.close()
  })

  it('P2 P13 a connection on which answers fall silent is not used again: what came behind would wait as long', async () => {
    const who = principal('silent')
    const silent = await silentStore('down', 20_000)
    const push = silent.sync.push(who, { client: 'm', changes: many })
    await expect(push).rejects.toMatchObject({ kind: 'transient' })
    const { verdicts } = await silent.sync.push(who, { client: 'm', changes: many.slice(0, 5) })
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(Array(5).fill('duplicate'))
    await silent.close()
  })

  it('P13 pushes that wait for the lock of one scope leave connections to those of others, and to pulls of it', async () => {
    const [stuck, free] = [principal('stuck'), principal('free')]
    const sync = sampleSync(opened.store)
    await sync.push(stuck, { client: 'm', changes: [put('row', 0, 'first')] })
    await rival.query('BEGIN')
    await rival.query(holdScope('stuck'))
    const waiting = Array.from({ length: 30 }, (_, n) =>
      sync.push(stuck, { client: `c${n}`, changes: [put(`row${n}`, n, 'x')] }),
    )
    await untilBlocked(4)
    const answer = await sync.push(free, { client: 'm', changes: [put('row', 0, 'x')] })
    expect(answer.verdicts[0]?.verdict).toBe('applied')
    expect((await sync.pull(stuck)).changes).toHaveLength(1)
    await rival.query('COMMIT')
    const verdicts = (await Promise.all(waiting)).map(({ verdicts: [verdict] }) => verdict?.verdict)
    expect(verdicts).toEqual(Array.from(waiting, () => 'applied'))
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
