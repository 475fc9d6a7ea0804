import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { transportByCopy } from '../../../src/bulk/copy.ts'
import type { Statement } from '../../../src/sql/statement.ts'
import type { Store } from '../../../src/stores/store.ts'
import { createOperations } from '../../../src/sync/sync.ts'
import { firstPuts, type MergePush, mergeChange, mergeHistory } from '../../support/merge-histories.ts'
import { createMergeReference, type MergeChange } from '../../support/merge-reference.ts'
import { mergeSchema } from '../../support/merge-schema.ts'
import { essence, type MergeScope, type MergeSync, openMergeSync } from '../../support/merge-sync.ts'
import { mergeTableNames, mergeTables } from '../../support/merge-tables.ts'
import { inThisRun, openTestStore, type TestStore } from '../../support/stores.ts'

/** `MERGE_SEED=7` runs these again; `MERGE_RUNS=2000` is the long run. */
const seed = Number(process.env.MERGE_SEED ?? Math.floor(Math.random() * 2 ** 31))
const runsOf = { 'libsql file': 60, postgres: 40, 'postgres by COPY': 40, 'durable-object': 10 }
const names = [...inThisRun(['libsql file', 'postgres', 'durable-object'] as const), 'postgres by COPY'] as const

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

  interface Line {
    readonly by: string
    readonly change: MergeChange
  }
  const ids = ['a', 'b', 'c', 'd']
  const line = fc.record({
    by: fc.constantFrom('anna', 'bert', 'carl'),
    change: mergeChange({ ids, ops: ['put', 'put', 'put', 'delete'] }),
  })
  const lines = fc.uniqueArray(line, {
    minLength: 1,
    maxLength: 12,
    selector: ({ change: { table, id } }) => `${table} ${id}`,
  })
  const history = mergeHistory({ ids }).map((pushes): MergePush[] => [
    firstPuts(mergeTableNames, ['a', 'b']),
    ...pushes,
  ])

  it(
    'P1 P6 P12 ends as its lines pushed one by one, counts included, and as the reference; a second time it changes nothing',
    () =>
      fc.assert(
        fc.asyncProperty(history, lines, fc.boolean(), async (pushes, imported, looks) => {
          const [one, other] = [await sync.openScope(), await sync.openScope()]
          const reference = createMergeReference(mergeTables)
          for (const push of pushes) {
            sync.tick()
            reference.push(push.changes, push.by, sync.now())
            for (const scope of [one, other]) await scope.push(push)
          }
          sync.tick()
          const expected = imported.map(({ by, change }) => reference.push([change], by, sync.now())[0]?.verdict ?? '')
          expect(await importInto(one, imported, looks)).toEqual(sums(expected))
          const pushed: string[] = []
          for (const { by, change } of imported)
            pushed.push(...(await other.push({ by, changes: [change] })).map(({ verdict }) => verdict))
          expect(pushed).toEqual(expected)
          const rows = await one.rows()
          expect(essence(rows)).toEqual(essence(reference.rows()))
          expect(essence(await other.rows())).toEqual(essence(rows))
          // What was imported means the same to what comes behind it: the stamps beside the columns
          // are the same.
          const again = imported.map(({ by, change }) => reference.push([change], by, sync.now())[0]?.verdict ?? '')
          expect(await importInto(one, imported, !looks)).toEqual(sums(again))
          const next = pushes.slice(1)
          for (const push of next) {
            const said = reference.push(push.changes, push.by, sync.now())
            expect(await one.push(push)).toEqual(said)
          }
          expect(essence(await one.rows())).toEqual(essence(reference.rows()))
        }),
        { numRuns, seed },
      ),
    120_000 * Math.ceil(numRuns / 50),
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
