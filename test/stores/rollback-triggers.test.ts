import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSync } from '../../src/sync/create-sync.ts'
import { noon, patch, principal, put, type SampleChange } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

/**
 * A trigger of SQLite may end the transaction that its row is written in, and so that of a
 * rehearsal. In a Durable Object it ends the object: the manual says so.
 */
const rollback = `CREATE TRIGGER poison_i BEFORE INSERT ON todos WHEN NEW.title LIKE 'poison%' BEGIN SELECT RAISE(ROLLBACK, 'no poison'); END;
CREATE TRIGGER poison_u BEFORE UPDATE ON todos WHEN NEW.title LIKE 'poison%' BEGIN SELECT RAISE(ROLLBACK, 'no poison'); END;`

describe.each(['libsql file', 'libsql http'] as const)(
  'a trigger that rolls the whole transaction back, on %s',
  (name) => {
    let opened: TestStore
    let people = 0
    const someone = () => principal(`u${++people}`)
    beforeAll(async () => {
      opened = await openTestStore(name, schema, { postgres: '', sqlite: rollback })
    })
    afterAll(() => opened.close())

    const sync = () => createSync({ schema, store: opened.store, now: () => noon / 1000 + 3_600_000 })
    async function verdictsOf(who: ReturnType<typeof principal>, changes: readonly SampleChange[], more: object = {}) {
      const { verdicts } = await sync().push(who, { client: 'a', changes: [...changes], ...more })
      return verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
    }
    const storedBy = async (who: ReturnType<typeof principal>) =>
      (await sync().pull(who)).changes.map(({ id, position }) => [id, position])

    it('P12 its change is rejected, alone, beside others, first, last and all of them', async () => {
      const who = someone()
      expect(await verdictsOf(who, [put('a', 1, 'poison')])).toEqual(['constraint'])
      expect(await storedBy(who)).toEqual([])
      const among = [
        put('a', 2, 'good'),
        put('b', 3, 'poison'),
        put('c', 4, 'good'),
        patch('a', 5, { title: 'poison' }),
      ]
      expect(await verdictsOf(who, among)).toEqual(['applied', 'constraint', 'applied', 'constraint'])
      expect(await verdictsOf(who, [put('d', 6, 'poison'), put('e', 7, 'good')])).toEqual(['constraint', 'applied'])
      const all = Array.from({ length: 3 }, (_, n) => put(`p${n}`, 8 + n, `poison ${n}`))
      expect(await verdictsOf(who, all)).toEqual(['constraint', 'constraint', 'constraint'])
      expect((await storedBy(who)).map(([id]) => id)).toEqual(['a', 'c', 'e'])
    })

    it('nothing of a rehearsal is ever kept: what is refused whole leaves no row, and no position is taken', async () => {
      const who = someone()
      await verdictsOf(who, [put('a', 1, 'kept')])
      const before = await storedBy(who)
      const good = (from: number) => Array.from({ length: 40 }, (_, n) => put(`g${n}`, from + n, 'good'))
      const atomic = [...good(10), put('x', 60, 'poison'), put('y', 61, 'poison'), put('z', 62, 'good')]
      await expect(verdictsOf(who, atomic, { atomic: true })).rejects.toMatchObject({
        code: 'atomic_rejected',
        members: { index: 40, error: { code: 'constraint' } },
      })
      expect(await storedBy(who)).toEqual(before)
      expect(await verdictsOf(who, [put('b', 70, 'next')])).toEqual(['applied'])
      expect(await storedBy(who)).toEqual([...before, ['b', (before[0]?.[1] as number) + 1]])
    })

    it('beside more of them than are found out, nothing is lost: the rest may be sent again, fewer at a time', async () => {
      const who = someone()
      const changes = Array.from({ length: 120 }, (_, n) => put(`n${n}`, n, n % 2 ? 'poison' : 'good'))
      let waiting = changes
      for (let size = 120; waiting.length > 0 && size >= 1; size = Math.floor(size / 2)) {
        const left: SampleChange[] = []
        for (let from = 0; from < waiting.length; from += size) {
          const part = waiting.slice(from, from + size)
          const verdicts = await verdictsOf(who, part)
          for (const [place, verdict] of verdicts.entries()) {
            const isPoison = (part[place] as { row: { title: string } }).row.title === 'poison'
            if (verdict === 'send_fewer') left.push(part[place] as SampleChange)
            else expect(verdict).toBe(isPoison ? 'constraint' : 'applied')
          }
        }
        waiting = left
      }
      expect(waiting).toEqual([])
      expect(await storedBy(who)).toHaveLength(60)
    })
  },
)
