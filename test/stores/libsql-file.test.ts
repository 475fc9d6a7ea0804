import { join } from 'node:path'
import Database from 'libsql'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { libsqlFileStore } from '../../src/stores/libsql/file.ts'
import { createWriteQueue } from '../../src/stores/libsql/write-queue.ts'
import type { Store } from '../../src/stores/store.ts'
import { temporaryFolder } from '../support/temporary.ts'

const statement = (sql: string) => ({ sql, params: [] })
const add = (id: number) => [statement(`INSERT INTO t VALUES (${id})`)]
const ids = [{ ...statement('SELECT a FROM t'), reads: true as const }]
/** Half a second of the engine, or more. */
const long = `INSERT INTO t WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 3000000) SELECT -count(*) FROM n`

describe('a file that others use at the same time', () => {
  const cleanups: (() => unknown)[] = []
  let path: string
  let store: Store
  let other: InstanceType<typeof Database>
  async function open(batchMsMax = 10_000) {
    const opened = await libsqlFileStore(`file:${path}`, { batchMsMax })
    cleanups.push(() => opened.close())
    return opened
  }
  const stored = async (of = store) => (await of.batch('', ids))[0]?.map(([id]) => Number(id))
  /** What another process sees. */
  const counted = () => Number((other.prepare('SELECT count(*) FROM t').raw(true).get() as unknown[])[0])
  /** Turns of the event loop until something ends. */
  async function turnsDuring(work: Promise<unknown>): Promise<number> {
    let turns = 0
    let going = true
    const counting = (async () => {
      for (; going; turns++) await new Promise((resolve) => setImmediate(resolve))
    })()
    await work
    going = false
    await counting
    return turns
  }

  beforeEach(async () => {
    const { folder, drop } = await temporaryFolder()
    cleanups.push(drop)
    path = join(folder, 'a.db')
    store = await open()
    await store.batch('', [statement('CREATE TABLE t (a INTEGER PRIMARY KEY)')])
    other = new Database(path)
    cleanups.push(() => other.open && other.close())
  })
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })

  it('P13 lets reads and timers go on while writers wait for another process, and lets them in in their order', async () => {
    other.exec('BEGIN IMMEDIATE')
    const ended: number[] = []
    const writing = [1, 2, 3, 4, 5].map((id) => store.batch('', add(id)).then(() => ended.push(id)))
    let timers = 0
    for (let n = 0; n < 50; n++) {
      expect(await stored()).toEqual([])
      await new Promise((resolve) => setTimeout(resolve, 1))
      timers++
    }
    expect([timers, ended]).toEqual([50, []])
    other.exec('COMMIT')
    await Promise.all(writing)
    expect(ended).toEqual([1, 2, 3, 4, 5])
    expect(await stored()).toEqual([1, 2, 3, 4, 5])
  })

  it('P2 P13 writes in this thread, where it is asked to, what it writes in another, and waits alike', async () => {
    const here = await libsqlFileStore(`file:${path}`, { batchMsMax: 150, inThisThread: true })
    cleanups.push(() => here.close())
    await here.batch('', add(1))
    await expect(here.batch('', [...add(2), ...add(1)])).rejects.toMatchObject({ kind: 'refused' })
    const rehearsal = { opening: add(3), groups: [add(1), add(4)], closing: ids }
    expect((await here.rehearse?.('', rehearsal))?.closing).toEqual([[[1], [3], [4]]])
    other.exec('BEGIN IMMEDIATE')
    await expect(here.batch('', add(5))).rejects.toMatchObject({ kind: 'transient', code: 'SQLITE_BUSY' })
    other.exec('COMMIT')
    await Promise.all([here.batch('', add(6)), store.batch('', add(7))])
    expect(await stored()).toEqual([1, 6, 7])
  })

  it('P13 writers that wait for too long fail with a passing fault, nothing of them is applied, and the next ones write', async () => {
    const hasty = await open(150)
    other.exec('BEGIN IMMEDIATE')
    const waiting = await Promise.allSettled([1, 2, 3].map((id) => hasty.batch('', add(id))))
    for (const outcome of waiting)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'transient', code: 'SQLITE_BUSY' } })
    other.exec('COMMIT')
    await hasty.batch('', add(4))
    expect(await stored()).toEqual([4])
  })

  it('P2 loses nothing that is written after a lock was met many times', async () => {
    const hasty = await open(1)
    for (let id = 0; id < 30; id++) {
      other.exec('BEGIN IMMEDIATE')
      await expect(hasty.batch('', add(id))).rejects.toMatchObject({ code: 'SQLITE_BUSY' })
      other.exec('COMMIT')
      await hasty.batch('', add(id))
    }
    expect(counted()).toBe(30)
    expect(other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 })
  })

  it('P3 answers reads and timers while a statement is under way, with what was committed', async () => {
    await store.batch('', add(1))
    const writing = store.batch('', [...add(2), statement(long), ...add(3)])
    const seen: unknown[] = []
    const turns = await turnsDuring(
      (async () => {
        let going = true
        const written = writing.then(() => {
          going = false
        })
        while (going) {
          seen.push((await stored())?.length)
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
        await written
      })(),
    )
    // The last one may come after the commit.
    expect(new Set(seen.slice(0, -1))).toEqual(new Set([1]))
    expect(seen.length).toBeGreaterThan(5)
    expect(turns).toBeGreaterThan(seen.length)
    expect(await stored()).toEqual([-3_000_000, 1, 2, 3])
  })

  it('gives timers their turn between many small reads', async () => {
    const reading = (async () => {
      for (let n = 0; n < 5_000; n++) await store.batch('', ids)
    })()
    expect(await turnsDuring(reading)).toBeGreaterThan(3)
  })

  it('P13 rolls back what fails in the middle, and writes on by the same statements', async () => {
    for (let round = 0; round < 20; round++) {
      await expect(store.batch('', [...add(1), ...add(2), ...add(2)])).rejects.toMatchObject({ kind: 'refused' })
      expect(await stored()).toEqual([])
    }
    await store.batch('', [...add(1), ...add(2)])
    expect(counted()).toBe(2)
  })

  it('a file that has many writers of several processes lets each of them write', async () => {
    const stores = [store, await open(), await open()]
    const writing = stores.flatMap((one, n) => Array.from({ length: 40 }, (_, id) => one.batch('', add(n * 100 + id))))
    await Promise.all(writing)
    expect(await stored()).toHaveLength(120)
  })

  it('P13 closes with writers that wait, who are told of it, and once what is under way has ended', async () => {
    other.exec('BEGIN IMMEDIATE')
    const waiting = [1, 2].map((id) => store.batch('', add(id)))
    const settled = Promise.allSettled(waiting)
    await store.close()
    for (const outcome of await settled)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'transient' } })
    await expect(store.batch('', ids)).rejects.toMatchObject({ kind: 'transient' })
    await expect(store.batch('', add(3))).rejects.toMatchObject({ kind: 'transient' })
    other.exec('COMMIT')
    const again = await open()
    const writing = again.batch('', [statement(long)])
    await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([again.close(), writing])
    expect(counted()).toBe(1)
  })
})

describe('the queue of writers', () => {
  it('lets one through at a time, in the order of asking', async () => {
    const queue = createWriteQueue(10_000)
    const [taken, ends]: [number[], (() => void)[]] = [[], []]
    const all = [0, 1, 2].map(async (n) => {
      ends[n] = (await queue.take()).end
      taken.push(n)
    })
    for (const n of [0, 1, 2]) {
      await all[n]
      expect(taken).toHaveLength(n + 1)
      ends[n]?.()
    }
    expect(taken).toEqual([0, 1, 2])
  })

  it('P13 turns away who waits too long, and lets those behind in', async () => {
    const queue = createWriteQueue(30)
    const { end } = await queue.take()
    const late = await Promise.allSettled([queue.take(), queue.take()])
    expect(late.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    const next = queue.take()
    end()
    expect((await next).until).toBeGreaterThan(performance.now() - 30)
  })
})
