import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  firstPuts,
  type MergeKinds,
  type MergePush,
  mergeArrangements,
  mergeHistory,
  plainOf,
} from '../support/merge-histories.ts'
import { createMergeReference } from '../support/merge-reference.ts'
import { mergeSchema } from '../support/merge-schema.ts'
import { mergeStories } from '../support/merge-stories.ts'
import { essence, type MergeScope, type MergeSync, openMergeSync, toRow, toVerdict } from '../support/merge-sync.ts'
import { mergeTableNames, mergeTables } from '../support/merge-tables.ts'
import { inThisRun, openTestStore, type TestStore } from '../support/stores.ts'

/** `MERGE_SEED=7` runs these again; `MERGE_RUNS=2000` is the long run. */
const seed = Number(process.env.MERGE_SEED ?? Math.floor(Math.random() * 2 ** 31))
const runsOf = { 'libsql file': 24, postgres: 16, 'durable-object': 4 }
const stores = inThisRun(['libsql file', 'postgres', 'durable-object'])

const byOne = (pushes: readonly MergePush[]): MergePush[] =>
  pushes.flatMap(({ by, changes }) =>
    changes.toSorted((a, b) => a.at - b.at).map((change) => ({ by, changes: [change] })),
  )
const keyOf = ({ table, id }: { table: string; id: string }) => `${table} ${id}`

describe.each(stores)(`columns that merge on %s (seed ${seed})`, (name) => {
  const numRuns = Number(process.env.MERGE_RUNS ?? runsOf[name as keyof typeof runsOf])
  const msMax = 120_000 * Math.ceil(numRuns / 50)
  let opened: TestStore
  let sync: MergeSync
  beforeAll(async () => {
    opened = await openTestStore(name, mergeSchema)
    sync = openMergeSync(opened.store)
  })
  afterAll(() => opened.close())

  const check = <Input>(inputs: fc.Arbitrary<Input>, holds: (input: Input) => Promise<void>, share = 1) =>
    fc.assert(fc.asyncProperty(inputs, holds), { numRuns: Math.ceil(numRuns * share), seed })

  /** Sends change sets to a fresh scope and to the reference; each answer must be the reference's. */
  async function play(pushes: readonly MergePush[]) {
    const scope = await sync.openScope()
    const reference = createMergeReference(mergeTables)
    for (const push of pushes) {
      sync.tick()
      const before = await scope.rows()
      const expected = reference.push(push.changes, push.by, sync.now())
      expect(await scope.push(push)).toEqual(expected)
      const after = await scope.rows()
      expect(essence(after)).toEqual(essence(reference.rows()))
      // Losers and duplicates leave a row where it is.
      const moved = new Set(push.changes.filter((_, n) => expected[n]?.verdict === 'applied').map(keyOf))
      const left = (one: { table: string; id: string }) => !moved.has(keyOf(one))
      expect(after.filter(left)).toEqual(before.filter(left))
    }
    return { scope, reference }
  }

  const others = ['price', 'sold', 'least', 'made_by']
  const kinds: readonly (readonly [string, MergeKinds & { clashing?: boolean }])[] = [
    ...mergeTableNames.map((table) => [`of ${table}`, { tables: [table], ids: ['a'] }] as const),
    ['of all tables', {}],
    ['of a counter', { tables: ['products'], ids: ['a'], atMax: 7, without: [...others, 'best'] }],
    ['of a maximum', { tables: ['products'], ids: ['a'], atMax: 7, without: [...others, 'stock'] }],
    ['with patches that create', { creates: true, tables: ['products', 'polls'], ids: ['a'] }],
    ['of clients that give a stamp twice', { clashing: true, atMax: 5 }],
    ['with the row that was seen', { conditions: true, atMax: 5, tables: ['products', 'notes'], ids: ['a'] }],
  ]
  describe.each(kinds)('changes %s', (_, kind) => {
    it(
      'P1 P12 one at a time end as in the reference, verdicts included',
      () => check(mergeHistory(kind).map(byOne), async (pushes) => void (await play(pushes)), 0.5),
      msMax,
    )

    it(
      'P1 P12 several of one row in a change set end as one by one in stamp order, verdicts included',
      () => check(mergeHistory(kind), async (pushes) => void (await play(pushes))),
      msMax,
    )

    it(
      'P5 a change set sent again moves no row and no position',
      () =>
        check(
          mergeHistory(kind),
          async (pushes) => {
            const { scope, reference } = await play(pushes)
            const again = pushes.at(-1) as MergePush
            const expected = reference.push(again.changes, again.by, sync.now())
            // What was refused for a missing row may count now, and a max of a life before.
            fc.pre(expected.every(({ verdict }) => verdict !== 'applied'))
            const before = await scope.rows()
            expect(await scope.push(again)).toEqual(expected)
            expect(await scope.rows()).toEqual(before)
          },
          0.5,
        ),
      msMax,
    )
  })

  it.each(['products', 'polls', 'pages'] as const)(
    'P1 the same puts, patches, adds and sets of living %s end the same in any order, grouping and repetition',
    (table) => {
      const living = mergeArrangements({
        tables: [table],
        ops: ['put', 'patch', 'patch'],
        // Plain columns with one stamp keep an order.
        unpatched: mergeTables[table].byColumn ? [] : plainOf(table),
      })
      const once = ['made_by', 'first']
      return check(living, async ([one, other]) => {
        const [left, right] = [await sync.openScope(), await sync.openScope()]
        const reference = createMergeReference(mergeTables)
        for (const push of [firstPuts([table]), ...one]) {
          reference.push(push.changes, push.by, sync.now())
          await left.push(push)
        }
        for (const push of [firstPuts([table]), ...other]) await right.push(push)
        expect(essence(await left.rows(), once)).toEqual(essence(reference.rows(), once))
        expect(essence(await right.rows(), once)).toEqual(essence(reference.rows(), once))
      })
    },
    msMax,
  )

  it(
    'P5 the same adds pushed ten times at once add once',
    () => {
      const words = fc.record(
        { stock: fc.constant({ add: 1 }), sold: fc.constant({ add: 10 }) },
        { requiredKeys: ['stock'] },
      )
      const adds = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 1, max: 20 }), words), {
        ...{ minLength: 1, maxLength: 12, selector: ([id, at]) => `${id} ${at}` },
      })
      return check(
        adds,
        async (said) => {
          const scope = await sync.openScope()
          const first = firstPuts(['products'])
          await scope.push(first)
          const start = first.changes[0]?.at as number
          const changes = said.map(
            ([id, at, row]) => ({ table: 'products', op: 'patch', id, at: start + at, row }) as const,
          )
          const answers = await Promise.all(Array.from({ length: 10 }, () => scope.push({ by: 'anna', changes })))
          for (const place of changes.keys())
            expect(answers.map((verdicts) => verdicts[place]?.verdict).toSorted()).toEqual([
              'applied',
              ...Array.from({ length: 9 }, () => 'duplicate'),
            ])
          const reference = createMergeReference(mergeTables)
          for (const push of [first, { by: 'anna', changes }]) reference.push(push.changes, push.by, sync.now())
          expect(essence(await scope.rows())).toEqual(essence(reference.rows()))
        },
        0.25,
      )
    },
    msMax,
  )

  it(
    'an add from before the deletion, however late it is sent, does not count for the new life',
    () => {
      const adds = fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 })
      const lives = fc.tuple(adds, fc.integer({ min: 0, max: 6 }), fc.boolean())
      return check(lives, async ([ats, sentBefore, atOnce]) => {
        const first = firstPuts(['products'], ['a'])
        const start = first.changes[0]?.at as number
        const row = { table: 'products', id: 'a' } as const
        const lateAdds = ats.map((at) => ({ ...row, op: 'patch', at: start + at, row: { stock: { add: 7 } } }) as const)
        const ending = [
          { ...row, op: 'delete', at: start + 9 } as const,
          { ...row, op: 'put', at: start + 10, row: { name: 'again', stock: 2 } } as const,
        ]
        const before = { by: 'anna', changes: lateAdds.slice(0, sentBefore) }
        const after = { by: 'anna', changes: lateAdds }
        const pushes = atOnce
          ? [{ by: 'anna', changes: [...ending, ...before.changes] }, after]
          : [before, { by: 'bert', changes: ending }, after]
        const { scope } = await play([first, ...pushes].filter(({ changes }) => changes.length > 0))
        const rows = await scope.rows()
        expect(rows.map((one) => one.row?.stock)).toEqual([2])
      })
    },
    msMax,
  )

  it(
    'each applied change of a table with rules has its row, asked for or not',
    () =>
      check(
        mergeHistory({ tables: ['products', 'polls'] }),
        async (pushes) => {
          const scope = await sync.openScope()
          for (const push of pushes) {
            const answers = await scope.answer(push, 'lost')
            const rows = await scope.rows()
            for (const { verdict, current } of answers)
              if (verdict === 'applied' || verdict === 'stale') expect(rows).toContainEqual(current && toRow(current))
          }
        },
        0.5,
      ),
    msMax,
  )

  describe('small histories', () => {
    let scope: MergeScope
    it.each(mergeStories)('$title', async ({ table, lines, ends }) => {
      scope = await sync.openScope()
      for (const { by, change, expected } of lines) {
        const [answer] = await scope.answer({ by, changes: [{ table, id: 'a', ...change }] })
        expect(answer && toVerdict(answer), JSON.stringify(change)).toEqual(expected)
      }
      const [row] = await scope.rows()
      if (ends) expect(row?.row).toMatchObject(ends)
      else expect(row?.row).toBe(undefined)
    })
  })
})
