import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { noon, type SampleChange, sampleSync } from '../support/sample.ts'
import { dialectStores, openTestStore, type StoreName, type TestStore } from '../support/stores.ts'

/** Few ids and few stamps, so that changes meet, tie and repeat. */
const change: fc.Arbitrary<SampleChange> = fc
  .record({
    op: fc.constantFrom('put', 'patch', 'patch', 'delete'),
    id: fc.constantFrom('a', 'b'),
    at: fc.integer({ min: 1, max: 6 }),
    title: fc.constantFrom('one', 'two', 'three'),
    columns: fc.subarray(['title', 'priority', 'notes'] as const, { minLength: 1 }),
    number: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ op, id, at, title, columns, number }) => {
    const all = { title, priority: number, notes: number > 4 ? null : `n${number}` }
    const row = op === 'put' ? all : Object.fromEntries(columns.map((column) => [column, all[column]]))
    return { table: 'todos', op, id, at: noon + at, ...(op !== 'delete' && { row }) } as SampleChange
  })

/** A row without the positions, which count requests. */
function essence(changes: readonly object[]): object[] {
  return changes
    .map((one) => ({ ...one, position: 0 }))
    .sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
}

describe.each(dialectStores)('coalescing on %s', (name: StoreName) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())

  it('P1 P12 a change set of several changes of a row ends as if they were sent one by one in stamp order, verdicts included', async () => {
    const sync = sampleSync(opened.store)
    let round = 0
    const inOneScope = (scope: string) => ({ subject: scope, scopes: new Map([[scope, 'write' as const]]) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 5 }),
        fc.array(change, { minLength: 1, maxLength: 7 }),
        fc.constantFrom('rival', 'phone', 'another'),
        async (stored, changes, rival) => {
          round++
          const [together, single] = [inOneScope(`together${round}`), inOneScope(`single${round}`)]
          for (const who of [together, single])
            for (const one of stored) await sync.push(who, { client: rival, changes: [one] })

          const { verdicts } = await sync.push(together, { client: 'phone', changes })
          const inTurn = changes
            .map((one, index) => ({ one, index }))
            .sort((a, b) => a.one.at - b.one.at || a.index - b.index)
          const expected: unknown[] = []
          for (const { one, index } of inTurn) {
            const answer = await sync.push(single, { client: 'phone', changes: [one] })
            expected[index] = { ...answer.verdicts[0], current: undefined }
          }
          expect(verdicts.map((verdict) => ({ ...verdict, current: undefined }))).toEqual(expected)

          const [rows, singles] = [await sync.pull(together), await sync.pull(single)]
          expect(essence(rows.changes)).toEqual(
            essence(singles.changes.map((one) => ({ ...one, scope: together.subject }))),
          )
          for (const verdict of verdicts) {
            const current = 'current' in verdict ? verdict.current : undefined
            if (current && current.op !== 'delete') expect(rows.changes).toContainEqual(current)
          }
        },
      ),
      { numRuns: name === 'postgres' ? 60 : 100 },
    )
  })
})
