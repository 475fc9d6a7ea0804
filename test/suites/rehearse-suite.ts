import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Statement } from '../../src/sql/statement.ts'
import type { Store } from '../../src/stores/store.ts'

/**
 * What a rehearsal meets in SQLite, beside what the suite of `src/testing` holds every store to.
 * `scope` names the database, where a store has several.
 */
export function rehearseSuite(name: string, open: () => Promise<{ store: Store; close(): Promise<void> }>): void {
  describe(`a rehearsal on ${name}`, () => {
    let opened: Awaited<ReturnType<typeof open>>
    const scope = 'alice'
    const run = (sql: string, ...params: Statement['params']): Statement => ({ sql, params })
    const add = (id: number, word: string, n = 1) => run('INSERT INTO words VALUES (?1, ?2, ?3)', id, word, n)
    const all: Statement = { ...run('SELECT id, word FROM words ORDER BY id'), reads: true }
    const rehearse = (groups: readonly (readonly Statement[])[], closing = [all], opening: readonly Statement[] = []) =>
      (opened.store.rehearse as NonNullable<Store['rehearse']>)(scope, { opening, groups, closing })
    const batch = (...statements: Statement[]) => opened.store.batch(scope, statements)
    const stored = async () => (await batch(all))[0]
    const kept = [[0, 'kept']]

    beforeAll(async () => {
      opened = await open()
      await batch(
        run(
          'CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE, n INTEGER NOT NULL CHECK (n > 0)) STRICT',
        ),
        run(
          "CREATE TRIGGER poison AFTER INSERT ON words WHEN new.word = 'poison' BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
        ),
        run("CREATE TRIGGER half AFTER INSERT ON words WHEN new.word = 'half' BEGIN SELECT RAISE(FAIL, 'no'); END"),
        add(0, 'kept'),
      )
    })
    afterAll(() => opened.close())

    it('P12 goes on where a trigger rolls the whole transaction back, with what passed before it', async () => {
      const groups = [[add(1, 'a')], [add(2, 'poison')], [add(3, 'a')], [add(4, 'b')], [add(5, 'poison')]]
      const { faults, closing } = await rehearse(groups, [all], [add(9, 'opened')])
      expect(faults.map((fault) => fault?.kind)).toEqual([undefined, 'refused', 'refused', undefined, 'refused'])
      expect(closing).toEqual([[...kept, [1, 'a'], [4, 'b'], [9, 'opened']]])
      expect(await stored()).toEqual(kept)
    })

    it('undoes one statement that a trigger ends by FAIL, which keeps what it wrote', async () => {
      const groups = [[add(1, 'half')], [run('UPDATE words SET n = 2 WHERE id = 1')], [add(1, 'a')]]
      const { faults, closing } = await rehearse(groups)
      expect(faults.map((fault) => fault?.kind)).toEqual(['refused', undefined, undefined])
      expect(closing).toEqual([[...kept, [1, 'a']]])
      expect(await stored()).toEqual(kept)
    })

    it('P3 lets readers go on, who see nothing of it, and makes writers wait', async () => {
      const ended: string[] = []
      const groups = Array.from({ length: 3_000 }, (_, n) => [add(n + 1, `w${n}`)])
      const rehearsing = rehearse(groups).then(() => ended.push('rehearsed'))
      const writing = batch(add(1, 'written')).then(() => ended.push('written'))
      const reading = stored().then((rows) => {
        expect(rows).toEqual(kept)
        ended.push('read')
      })
      await Promise.all([rehearsing, writing, reading])
      expect(ended).toEqual(['read', 'rehearsed', 'written'])
      expect(await stored()).toEqual([...kept, [1, 'written']])
      await batch(run('DELETE FROM words WHERE id > 0'))
    })
  })
}
