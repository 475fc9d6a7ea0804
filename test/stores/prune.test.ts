import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prune } from '../../src/prune/prune.ts'
import { startPruning } from '../../src/prune/timer.ts'
import { readsOnly, type Store, StoreFault } from '../../src/stores/store.ts'
import { del, noon, principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { asProject, nodeArguments } from '../support/scripts.ts'
import { openTestStore, storeNames, type TestStore } from '../support/stores.ts'

const day = 24 * 3_600_000
const noonMs = noon / 1000
const delList = (id: string, at: number) => ({ table: 'lists', op: 'delete', id, at: noon + at }) as const

describe.each(storeNames)('pruning on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())
  let scopes = 0
  const someone = () => principal(`user${++scopes}`)
  const ids = async (scope: string) => {
    const { param } = opened.store.dialect
    const sql = `SELECT id FROM todos WHERE scope = ${param(1)} UNION ALL SELECT id FROM lists WHERE scope = ${param(1)} ORDER BY 1`
    const [rows = []] = await opened.store.batch(scope, [{ sql, params: [scope] }])
    return rows.map(([id]) => id)
  }

  it('P9 goes by when a tombstone was stored, and answers cursors from before with 410', async () => {
    const sync = sampleSync(opened.store)
    const who = someone()
    await sync.push(who, { client: 'a', changes: [put('kept', 0, 'x'), put('gone', 0, 'x'), put('late', 0, 'x')] })
    const { cursor: before } = await sync.pull(who)
    // By its stamp this tombstone is from the year 2000; it is stored now.
    await sync.push(who, { client: 'a', changes: [del('gone', 1), { ...del('never', 0), at: 946_684_800_000_000 }] })
    const { cursor: seen } = await sync.pull(who)
    const at = (days: number) => ({ retentionMs: 90 * day, now: () => noonMs + days * day })
    expect(await prune(opened.store, schema, at(0))).toEqual({ scopes: 0, tombstones: 0 })
    await sync.push(who, { client: 'a', changes: [del('late', 2)] })
    expect(await prune(opened.store, schema, at(89))).toEqual({ scopes: 0, tombstones: 0 })
    expect((await sync.pull(who, { cursor: before })).changes).toHaveLength(3)
    expect(await prune(opened.store, schema, at(91))).toEqual({ scopes: 1, tombstones: 2 })
    expect(await ids(who.subject)).toEqual(['kept', 'late'])
    const resync = { code: 'resync', members: { reason: 'pruned', scopes: [who.subject] } }
    await expect(sync.pull(who, { cursor: before })).rejects.toMatchObject(resync)
    const push = { client: 'b', cursor: before, changes: [put('new', 3, 'x')] }
    await expect(sync.sync(who, push)).rejects.toMatchObject(resync)
    expect(await ids(who.subject)).toEqual(['kept', 'late'])
    // Who had read the tombstones before they went needs nothing anew.
    expect((await sync.pull(who, { cursor: seen })).changes.map(({ id }) => id)).toEqual(['late'])
    expect(await prune(opened.store, schema, at(179))).toEqual({ scopes: 1, tombstones: 1 })
    expect((await sync.pull(who)).changes.map(({ id }) => id)).toEqual(['kept'])
  })

  it('P9 retention 0 prunes all at once, in batches however small, and nothing that lives', async () => {
    const sync = sampleSync(opened.store)
    const who = someone()
    const names = Array.from({ length: 20 }, (_, n) => `n${String(n).padStart(2, '0')}`)
    await sync.push(who, { client: 'a', changes: names.map((id) => put(id, 0, id)) })
    const dead = names.filter((_, n) => n % 3 !== 0)
    await sync.push(who, { client: 'a', changes: dead.flatMap((id) => [del(id, 1), delList(id, 1)]) })
    await sync.push(who, { client: 'a', changes: [put(dead[0] as string, 2, 'revived'), put('last', 2, 'x')] })
    const { cursor } = await sync.pull(who)
    const options = { retentionMs: 0, batchMax: 3 }
    expect(await prune(opened.store, schema, options)).toMatchObject({ tombstones: 2 * dead.length - 1 })
    const alive = names.filter((id) => !dead.slice(1).includes(id))
    expect(await ids(who.subject)).toEqual(['last', ...alive].sort())
    expect(await prune(opened.store, schema, options)).toEqual({ scopes: 0, tombstones: 0 })
    // The watermark is the last tombstone's position and not the scope's: this cursor has seen it.
    expect((await sync.pull(who, { cursor })).changes).toEqual([])
    expect((await sync.pull(who)).changes).toHaveLength(alive.length + 1)
  })

  it('P8 a bootstrap that is under way goes on over what was pruned before it began', async () => {
    const sync = sampleSync(opened.store)
    const who = someone()
    await sync.push(who, { client: 'a', changes: ['a', 'b', 'c', 'd'].map((id) => put(id, 0, id)) })
    await sync.push(who, { client: 'a', changes: [del('b', 1)] })
    const first = await sync.pull(who, { limit: 1 })
    await prune(opened.store, schema, { retentionMs: 0 })
    const second = await sync.pull(who, { cursor: first.cursor, limit: 1 })
    await sync.push(who, { client: 'a', changes: [del('a', 2)] })
    const rest = await sync.pull(who, { cursor: second.cursor })
    expect([first, second, rest].flatMap(({ changes }) => changes.map(({ op, id }) => `${op} ${id}`))).toEqual([
      'put a',
      'put c',
      'put d',
      'delete a',
    ])
  })

  it('goes on where an aborted run stopped, and two at once do no harm', async () => {
    const sync = sampleSync(opened.store)
    const who = someone()
    const names = Array.from({ length: 30 }, (_, n) => `n${n}`)
    await sync.push(who, { client: 'a', changes: names.map((id) => del(id, 0)) })
    const controller = new AbortController()
    let batches = 0
    const { batch } = opened.store
    const counted = {
      ...opened.store,
      batch: (...args: Parameters<typeof batch>) => {
        if (++batches === 6) controller.abort()
        return batch(...args)
      },
    }
    const first = await prune(counted, schema, { retentionMs: 0, batchMax: 5, signal: controller.signal })
    expect(first.tombstones).toBeGreaterThan(0)
    expect(first.tombstones).toBeLessThan(30)
    await Promise.all([1, 2].map(() => prune(opened.store, schema, { retentionMs: 0, batchMax: 4 })))
    expect(await ids(who.subject)).toEqual([])
  })

  it('P1 P9 a phone that syncs while others write and prune ends with the rows of the server', async () => {
    const sync = sampleSync(opened.store)
    const who = someone()
    let going = true
    const busy = (async () => {
      for (let n = 0; n < 60; n++) {
        await sync.push(who, {
          client: 'w',
          changes: [put(`r${n % 12}`, 2 * n, `${n}`), del(`r${(n + 5) % 12}`, 2 * n)],
        })
      }
      going = false
    })()
    const pruning = (async () => {
      while (going) await prune(opened.store, schema, { retentionMs: 0 })
    })()
    const rows = new Map<string, unknown>()
    let cursor: string | null = null
    let resyncs = 0
    const pull = async () => {
      try {
        const page = await sync.pull(who, { cursor, limit: 3 })
        for (const change of page.changes) {
          if (change.op === 'delete') rows.delete(change.id)
          else rows.set(change.id, change)
        }
        cursor = page.cursor
        return page.more
      } catch (problem) {
        expect(problem).toMatchObject({ code: 'resync' })
        rows.clear()
        cursor = null
        resyncs++
        return true
      }
    }
    while (going) await pull()
    await Promise.all([busy, pruning])
    while (await pull());
    const stored = await sync.pull(who)
    expect([...rows.keys()].sort()).toEqual(stored.changes.map(({ id }) => id).sort())
    expect(resyncs).toBeLessThan(200)
  })
})

describe('pruning many scopes of one file', () => {
  const scopesMany = 2_000
  /** Scopes with two tombstones and a row each; the file, and how many batches write. */
  async function openMany() {
    const opened = await openTestStore('libsql file')
    const { store } = opened
    const n = `WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < ${scopesMany - 1})`
    const row = (id: string, deleted: number, position: number) =>
      `INSERT INTO lists ${n} SELECT 's' || n, '${id}', ${noon}, 'a', ${deleted}, ${position}, ${position}, ${deleted ? 'NULL' : "'x'"} FROM n`
    await store.batch(
      '',
      [
        `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) ${n} SELECT 's' || n, 'i', 4, 0, 300 FROM n`,
        row('a', 1, 1),
        row('b', 0, 2),
        row('c', 1, 3),
      ].map((sql) => ({ sql, params: [] })),
    )
    let writes = 0
    let failAt = Number.POSITIVE_INFINITY
    const counted: Store = {
      ...store,
      async batch(scope, statements) {
        if (!readsOnly(statements) && ++writes === failAt) throw new StoreFault('transient', { message: 'away' })
        return store.batch(scope, statements)
      },
    }
    const count = async (sql: string) => Number((await store.batch('', [{ sql, params: [] }]))[0]?.[0]?.[0])
    return {
      ...opened,
      counted,
      writes: () => writes,
      failAt: (n: number) => {
        failAt = writes + n
      },
      tombstones: () => count('SELECT count(*) FROM lists WHERE deleted'),
      raised: () => count('SELECT count(*) FROM driftline_scopes WHERE watermark = 3'),
      /**
       * Scopes whose tombstones are not gone together with a raised watermark, or that lost a row.
       */
      wrong: () =>
        count(
          `SELECT count(*) FROM driftline_scopes AS s WHERE (s.watermark = 3) = EXISTS (SELECT 1 FROM lists AS l WHERE l.scope = s.scope AND l.deleted) OR NOT EXISTS (SELECT 1 FROM lists AS l WHERE l.scope = s.scope AND id = 'b')`,
        ),
    }
  }

  it('P9 takes few transactions, each of which raises the watermarks of its scopes', async () => {
    const many = await openMany()
    expect(await prune(many.counted, schema, { retentionMs: 0 })).toEqual({
      scopes: scopesMany,
      tombstones: 2 * scopesMany,
    })
    expect(many.writes()).toBeLessThan(30)
    expect([await many.tombstones(), await many.raised(), await many.wrong()]).toEqual([0, scopesMany, 0])
    const before = many.writes()
    expect(await prune(many.counted, schema, { retentionMs: 0 })).toEqual({ scopes: 0, tombstones: 0 })
    expect(many.writes() - before).toBeLessThan(3)
    await many.close()
  })

  it('P8 P9 a run that dies between two transactions leaves each scope pruned or as it was, and the next goes on', async () => {
    const many = await openMany()
    many.failAt(5)
    await expect(prune(many.counted, schema, { retentionMs: 0 })).rejects.toThrow('away')
    const left = await many.tombstones()
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(2 * scopesMany)
    expect(await many.wrong()).toBe(0)
    const rest = await prune(many.counted, schema, { retentionMs: 0 })
    expect(rest.tombstones).toBe(left)
    expect([await many.tombstones(), await many.raised(), await many.wrong()]).toEqual([0, scopesMany, 0])
    await many.close()
  })

  it('lets others read and write between its transactions, and timers run', async () => {
    const many = await openMany()
    const sync = sampleSync(many.store)
    let going = true
    const pruning = prune(many.counted, schema, { retentionMs: 0 }).finally(() => {
      going = false
    })
    let [pushes, timers] = [0, 0]
    while (going) {
      await sync.push(principal('writer'), { client: 'a', changes: [put(`r${pushes}`, pushes++, 'x')] })
      await new Promise((resolve) => setTimeout(resolve, 1))
      timers++
    }
    await pruning
    expect(Math.min(pushes, timers)).toBeGreaterThan(5)
    expect((await sync.pull(principal('writer'))).changes).toHaveLength(pushes)
    await many.close()
  })
})

describe('npx driftline prune', () => {
  const run = (env: Record<string, string>, ...args: string[]) =>
    promisify(execFile)(process.execPath, [...nodeArguments('prune'), ...args], {
      cwd: asProject(process.cwd()),
      env: { PATH: process.env.PATH, ...env },
    })

  it('prunes the database of DATABASE_URL, and says a wrong retention', async () => {
    const opened = await openTestStore('libsql file')
    const sync = sampleSync(opened.store)
    await sync.push(principal('alice'), { client: 'a', changes: [del('x', 0), put('y', 0, 'y')] })
    const env = { DATABASE_URL: opened.url }
    expect((await run(env)).stdout).toBe('Pruned 0 tombstones of 0 scopes.\n')
    expect((await run(env, '--retention', '0d')).stdout).toBe('Pruned 1 tombstones of 1 scopes.\n')
    await expect(run(env, '--retention', 'soon')).rejects.toMatchObject({
      code: 1,
      stderr: '--retention must be a number of days or hours, such as 90d or 12h\n',
    })
    await expect(run({ ...env, RETENTION: '-1d' })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^RETENTION must be/),
    })
    await opened.close()
  })
})

it('a server prunes in the background, goes on after a run that failed, and stops when told', async () => {
  const runs: AbortSignal[] = []
  const errors: unknown[] = []
  const stop = await new Promise<() => void>((resolve) => {
    const end = startPruning(
      async (signal) => {
        runs.push(signal)
        if (runs.length === 1) throw new Error('away')
        resolve(end)
      },
      (error) => errors.push(error),
      { firstMs: 1, everyMs: 1 },
    )
  })
  stop()
  const count = runs.length
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect([errors.length, runs.length, runs[0]?.aborted]).toEqual([1, count, true])
})
