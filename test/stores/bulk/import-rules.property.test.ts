import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { transportByCopy } from '../../../src/bulk/copy.ts'
import type { Statement } from '../../../src/sql/statement.ts'
import type { Store } from '../../../src/stores/store.ts'
import { createOperations } from '../../../src/sync/sync.ts'
import { firstPuts, type MergeKinds, type MergePush, mergeChange, mergeHistory } from '../../support/merge-histories.ts'
import { createMergeReference, type MergeChange } from '../../support/merge-reference.ts'
import { mergeSchema } from '../../support/merge-schema.ts'
import { essence, type MergeScope, type MergeSync, openMergeSync } from '../../support/merge-sync.ts'
import { mergeTableNames, mergeTables } from '../../support/merge-tables.ts'
import { inThisRun, openTestStore, type TestStore } from '../../support/stores.ts'

/** `MERGE_SEED=7` runs these again; `MERGE_RUNS=2000` is the long run. */
const seed = Number(process.env.MERGE_SEED ?? Math.floor(Math.random() * 2 ** 31))
const runsOf = { 'libsql file': 24, postgres: 12, 'postgres by COPY': 12, 'durable-object': 3 }
const names = [...inThisRun(['libsql file', 'postgres', 'durable-object'] as const), 'postgres by COPY'] as const

interface Line {
  readonly by: string
  readonly change: MergeChange
}
const others = ['sold', 'least', 'made_by']
const linesOf = (kind: MergeKinds) =>
  fc.uniqueArray(
    fc.record({
      by: fc.constantFrom('anna', 'bert', 'carl'),
      change: mergeChange({ ...kind, ops: ['put', 'put', 'put', 'delete'] }),
    }),
    { minLength: 1, maxLength: 12, selector: ({ change: { table, id } }) => `${table} ${id}` },
  )
const historyOf = (kind: MergeKinds) =>
  mergeHistory(kind).map((pushes): MergePush[] => [firstPuts(kind.tables ?? mergeTableNames, ['a', 'b']), ...pushes])

describe.each(names)(`an import of rows that merge into %s (seed ${seed})`, (name) => {
  const numRuns = Number(process.env.MERGE_RUNS ?? runsOf[name])
  let opened: TestStore
  let sync: MergeSync
  let sent: string[] = []
  beforeAll(async () => {
    opened = await openTestStore(name === 'postgres by COPY' ? 'postgres' : name, mergeSchema)
    sync = openMergeSync(opened.store)
  })
  afterAll(() => opened.close())

  /** Imports the changes as one chunk, and gives the sums. */
  async function importInto(scope: MergeScope, lines: readonly Line[], looks: boolean) {
    sent = []
    const batch: Store['batch'] = (first, statements: readonly Statement[], ...more) => {
      sent.push(...statements.map(({ sql }) => sql))
      return opened.store.batch(first, statements, ...more)
    }
    const operations = createOperations({
      ...{ schema: mergeSchema, store: { ...opened.store, batch }, now: sync.nowMs },
      ...(name === 'postgres by COPY' && { transport: transportByCopy(mergeSchema) }),
    })
    const grant = { scope: scope.name, isAllowed: () => true }
    const changes = lines.map(({ by, change }) => ({ ...change, by }))
    const { tally, rejected } = await operations.importChunk('x', { client: 'import', changes, grant, looks })
    return { ...tally, rejected: rejected.size }
  }

  /** The sums of what came of each change by itself. */
  const sums = (verdicts: readonly string[]) => {
    const count = (verdict: string) => verdicts.filter((one) => one === verdict).length
    return { ...{ applied: count('applied'), duplicate: count('duplicate') }, stale: count('stale'), rejected: 0 }
  }

  const kinds: readonly (readonly [string, MergeKinds])[] = [
    ['of all tables', { ids: ['a', 'b', 'c', 'd'] }],
    ['of a counter', { tables: ['products'], ids: ['a', 'b'], atMax: 7, without: [...others, 'price', 'best'] }],
    ['of columns', { tables: ['products', 'pages'], ids: ['a', 'b'], atMax: 7, without: [...others, 'stock'] }],
  ]

  it.each(kinds)(
    'P1 P6 P12 ends as its lines pushed one by one, counts included, and as the reference, also a second time: rows %s',
    (_, kind) =>
      fc.assert(
        fc.asyncProperty(historyOf(kind), linesOf(kind), fc.boolean(), async (pushes, imported, looks) => {
          const [one, other] = [await sync.openScope(), await sync.openScope()]
          const reference = createMergeReference(mergeTables)
          /** What came of each change, which is the same for who pushes. */
          const push = async ({ by, changes }: MergePush): Promise<string[]> => {
            const expected = reference.push(changes, by, sync.now())
            expect(await other.push({ by, changes })).toEqual(expected)
            return expected.map(({ verdict }) => verdict)
          }
          const importAll = async (looks: boolean) => {
            sync.tick()
            const expected: string[] = []
            for (const { by, change } of imported) expected.push(...(await push({ by, changes: [change] })))
            expect(await importInto(one, imported, looks)).toEqual(sums(expected))
            expect(essence(await one.rows())).toEqual(essence(await other.rows()))
          }
          const pushAll = async () => {
            for (const { by, changes } of pushes) {
              sync.tick()
              await push({ by, changes })
              await one.push({ by, changes })
            }
            const rows = essence(await one.rows())
            expect(essence(rows)).toEqual(essence(reference.rows()))
          }
          // What comes behind an import meets the stamps that it left beside the columns.
          await pushAll()
          await importAll(looks)
          await pushAll()
          await importAll(!looks)
        }),
        { numRuns, seed },
      ),
    120_000 * Math.ceil(numRuns / 50),
  )

  it.each([
    ['the number of a later set', { stock: { set: 9 } }, { stock: { set: 4 } }],
    ['a greater maximum', { best: 9 }, { best: 4 }],
    ['a later value of its column', { price: 9 }, { price: 4 }],
  ])(
    'P5 a line that comes again is stale where one of its columns met %s, and else a duplicate',
    async (_, row, own) => {
      const scope = await sync.openScope()
      const [start] = firstPuts(['products'], ['a']).changes as [MergeChange]
      const said = { table: 'products', id: 'a' } as const
      const imported: Line = { by: 'anna', change: { ...said, op: 'put', at: start.at, row: { name: 'n', ...own } } }
      expect(await importInto(scope, [imported], false)).toMatchObject({ applied: 1 })
      expect(await importInto(scope, [imported], false)).toMatchObject({ duplicate: 1 })
      await scope.push({ by: 'bert', changes: [{ ...said, op: 'patch', at: start.at + 1, row }] })
      for (const looks of [false, true])
        expect(await importInto(scope, [imported], looks)).toMatchObject({ applied: 0, duplicate: 0, stale: 1 })
    },
  )

  it('what puts, sets and deletes goes in bulk, which gives no row back, and what adds as change sets', async () => {
    const scope = await sync.openScope()
    const [start] = firstPuts(['products']).changes
    const put = (id: string, stock: unknown): Line => ({
      by: 'anna',
      change: { ...(start as MergeChange), id, row: { name: id, ...(stock !== undefined && { stock }) } },
    })
    const isReturned = () => sent.some((text) => text.includes('RETURNING') && text.includes('products'))
    const rows = [put('a', 5), put('b', { set: 6 }), put('c', undefined)]
    const gone: Line = { by: 'bert', change: { table: 'products', op: 'delete', id: 'd', at: start?.at ?? 0 } }
    expect(await importInto(scope, [...rows, gone], false)).toMatchObject({ applied: 4 })
    expect(isReturned()).toBe(false)
    expect(await importInto(scope, [...rows, gone], true)).toMatchObject({ applied: 0, duplicate: 4 })
    expect(isReturned()).toBe(false)
    expect(await importInto(scope, [put('e', { add: 1 })], false)).toMatchObject({ applied: 1 })
    expect(isReturned()).toBe(true)
  })
})
