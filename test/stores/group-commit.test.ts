import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'libsql'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { libsqlFileStore } from '../../src/stores/libsql/file.ts'
import { type Store, StoreFault } from '../../src/stores/store.ts'
import { temporaryFolder } from '../support/temporary.ts'

const statement = (sql: string) => ({ sql, params: [] })
const add = (id: number, more = 0) => [statement(`INSERT INTO t VALUES (${id}, ${more})`)]

describe('batches that wait for a file together', () => {
  const cleanups: (() => unknown)[] = []
  let path: string
  let store: Store
  /** Holds the file, so that whoever writes meanwhile waits. */
  let other: InstanceType<typeof Database>

  beforeEach(async () => {
    const { folder, drop } = await temporaryFolder()
    cleanups.push(drop)
    path = join(folder, 'a.db')
    store = await libsqlFileStore(`file:${path}`)
    cleanups.push(() => store.close())
    for (const sql of [
      'CREATE TABLE p (id INTEGER PRIMARY KEY)',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED) STRICT',
      'INSERT INTO p VALUES (0)',
      "CREATE TRIGGER rolled BEFORE INSERT ON t WHEN NEW.id = 13 BEGIN SELECT RAISE(ROLLBACK, 'unlucky'); END",
      "CREATE TRIGGER failed BEFORE INSERT ON t WHEN NEW.id = 17 BEGIN INSERT INTO p VALUES (17); SELECT RAISE(FAIL, 'odd'); END",
    ])
      await store.batch('', [statement(sql)])
    other = new Database(path)
    cleanups.push(() => other.open && other.close())
  })
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })

  const stored = () => other.prepare('SELECT id FROM t ORDER BY id').raw(true).all().flat()

  /** All at once, while the first of them waits for the file. What came of each. */
  async function together(batches: readonly ReturnType<typeof add>[]): Promise<readonly ('stored' | string)[]> {
    other.exec('BEGIN IMMEDIATE')
    const ends = batches.map((batch) =>
      store.batch('', batch).then(
        () => 'stored',
        (fault: unknown) => (fault instanceof StoreFault ? fault.kind : String(fault)),
      ),
    )
    await new Promise((resolve) => setTimeout(resolve, 30))
    other.exec('ROLLBACK')
    return Promise.all(ends)
  }

  /** Frames of the log that end a transaction. */
  function commits(): number {
    const log = readFileSync(`${path}-wal`)
    const [page, salt] = [log.readUInt32BE(8), log.subarray(16, 24)]
    let count = 0
    for (let at = 32; at + 24 + page <= log.length; at += 24 + page) {
      if (log.subarray(at + 8, at + 16).equals(salt) && log.readUInt32BE(at + 4) > 0) count++
    }
    return count
  }

  it('P2 share commits, and each is stored when it is acknowledged', async () => {
    const before = commits()
    const batches = Array.from({ length: 40 }, (_, n) => add(100 + n))
    expect(new Set(await together(batches))).toEqual(new Set(['stored']))
    expect(stored()).toHaveLength(40)
    // Groups of 16 at the most.
    const taken = commits() - before
    expect(taken).toBeGreaterThanOrEqual(3)
    expect(taken).toBeLessThanOrEqual(5)
  })

  it('P12 P13 have each an outcome of its own: what is refused of one is undone, and harms no other', async () => {
    const both = [...add(3), ...add(1)]
    expect(await together([add(1), both, add(4), add(17), add(5)])).toEqual([
      'stored',
      'refused',
      'stored',
      'refused',
      'stored',
    ])
    expect(stored()).toEqual([1, 4, 5])
    expect(other.prepare('SELECT count(*) FROM p').raw(true).get()).toEqual([1])
  })

  it.each([
    ['a trigger that undoes the whole transaction', add(13), 'refused'],
    ['a table that is not there', [statement('INSERT INTO gone VALUES (1)')], 'broken'],
  ])('P12 P13 also beside %s', async (_, batch, kind) => {
    for (const place of [0, 1, 2]) {
      const batches = [add(place * 10 + 1), add(place * 10 + 2)]
      const ends: string[] = ['stored', 'stored']
      batches.splice(place, 0, batch)
      ends.splice(place, 0, kind)
      expect(await together(batches)).toEqual(ends)
    }
    expect(stored()).toEqual([1, 2, 11, 12, 21, 22])
  })

  it('P12 P13 also beside what is refused at the commit', async () => {
    expect(await together([add(3), add(2, 99), add(4)])).toEqual(['stored', 'refused', 'stored'])
    expect(stored()).toEqual([3, 4])
  })

  it('keep their order, one of a large batch included', async () => {
    const order: number[] = []
    const large = [{ sql: 'INSERT INTO t SELECT 7, 0 WHERE ? IS NOT NULL', params: ['x'.repeat(300_000)] }]
    other.exec('BEGIN IMMEDIATE')
    const first = store.batch('', add(0)).then(() => order.push(0))
    const all = [add(1), add(2), large, add(3)].map((batch, n) => store.batch('', batch).then(() => order.push(n + 1)))
    other.exec('ROLLBACK')
    await Promise.all([first, ...all])
    expect(order).toEqual([0, 1, 2, 3, 4])
  })
})
