import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  firstPuts,
  type MergePush,
  mergeArrangements,
  mergeHistory,
  mergeStart,
  plainOf,
} from '../support/merge-histories.ts'
import { createMergeReference } from '../support/merge-reference.ts'
import { type MergeTableName, mergeTableNames, mergeTables } from '../support/merge-tables.ts'

const now = '2026-11-21T03:00:00.000Z'
const numRuns = Number(process.env.MERGE_RUNS ?? 500)

function play(pushes: readonly MergePush[]) {
  const reference = createMergeReference(mergeTables)
  const verdicts = pushes.map(({ by, changes }) => reference.push(changes, by, now))
  return { reference, verdicts, rows: reference.rows() }
}
const sorted = (rows: readonly { table: string; id: string }[]) =>
  rows.toSorted((a, b) => `${a.table} ${a.id}`.localeCompare(`${b.table} ${b.id}`))

describe('the reference of columns that merge', () => {
  /** Where plain columns share a stamp, a patch of them keeps an order. */
  const ofLiving = (table: MergeTableName) => ({
    tables: [table],
    ops: ['put', 'patch', 'patch'] as const,
    without: ['made_by', 'first'],
    unpatched: mergeTables[table].byColumn ? [] : plainOf(table),
  })

  it.each(mergeTableNames.filter((name) => name !== 'notes'))(
    'ends the same in any order, grouping and repetition of puts, patches, adds and sets of living %s',
    (table) => {
      fc.assert(
        fc.property(mergeArrangements(ofLiving(table)), ([one, other]) => {
          const first = firstPuts([table])
          expect(play([first, ...one]).rows).toEqual(play([first, ...other]).rows)
        }),
        { numRuns },
      )
    },
  )

  it('counts as the sentence says it: the begin or the last set, and every add later than that', () => {
    fc.assert(
      fc.property(mergeArrangements({ ...ofLiving('products'), ids: ['a'] }), ([pushes]) => {
        const said = new Map<string, { at: number; by: string; add?: number; set?: number }>()
        for (const { by, changes } of pushes)
          for (const { at, row } of changes) {
            const words = row?.stock
            if (typeof words === 'object') said.set(`${at} ${by}`, { at, by, ...words })
          }
        const all = [...said.values()].toSorted((a, b) => a.at - b.at || (a.by < b.by ? -1 : 1))
        const last = all.findLastIndex(({ set }) => set !== undefined)
        const expected = all.slice(last + 1).reduce((sum, { add = 0 }) => sum + add, all[last]?.set ?? 5)
        expect(play([firstPuts(['products'], ['a']), ...pushes]).rows[0]?.row?.stock).toBe(expected)
      }),
      { numRuns },
    )
  })

  it.each([
    ['as long as no row is deleted', { ops: ['put', 'patch', 'patch'] }],
    ['deleted or not, where all columns are plain', { tables: ['pages', 'notes'] }],
  ] as const)('P5 takes nothing again of a change set of which nothing was refused, %s', (_, kinds) => {
    fc.assert(
      fc.property(mergeHistory({ ...kinds, clashing: true }), (history) => {
        const { reference, verdicts } = play(history)
        const last = history.at(-1) as MergePush
        if (verdicts.at(-1)?.some(({ verdict }) => verdict === 'rejected')) return
        const before = reference.rows()
        for (const { verdict } of reference.push(last.changes, last.by, 'later'))
          expect(['duplicate', 'stale']).toContain(verdict)
        expect(reference.rows()).toEqual(before)
      }),
      { numRuns },
    )
  })

  it('P5 counts no add twice, whatever is deleted and lives again between', () => {
    fc.assert(
      fc.property(mergeHistory({ tables: ['products'], without: ['best', 'least', 'made_by'] }), (history) => {
        const added = new Set<string>()
        const reference = createMergeReference(mergeTables)
        for (const { by, changes } of [...history, ...history, ...history])
          for (const change of changes.toSorted((a, b) => a.at - b.at)) {
            const words = change.row?.stock
            const isAdd = change.op === 'patch' && Object.keys(change.row ?? {}).length === 1
            const { verdict } = reference.apply(change, by, now)
            if (!isAdd || typeof words !== 'object' || !words || !('add' in words) || verdict !== 'applied') continue
            const key = `${change.id} ${change.at} ${by}`
            expect(added).not.toContain(key)
            added.add(key)
          }
      }),
      { numRuns },
    )
  })

  it('refuses what it may have counted and forgotten', () => {
    const living = mergeArrangements({ ...ofLiving('products'), ids: ['a'] })
    fc.assert(
      fc.property(living, fc.integer({ min: 0, max: 12 }), ([pushes], forgotten) => {
        const { reference, rows } = play([firstPuts(['products'], ['a']), ...pushes])
        reference.forget(mergeStart + forgotten)
        for (const { by, changes } of pushes)
          for (const change of changes) {
            const counts = Object.values(change.row ?? {}).some((value) => typeof value === 'object' && value !== null)
            const { code } = reference.apply(change, by, now)
            expect(code).toBe(counts && change.at <= mergeStart + forgotten ? 'add_expired' : undefined)
          }
        expect(reference.rows()).toEqual(rows)
      }),
      { numRuns },
    )
  })

  it('takes what a table without rules says as last writer wins does', () => {
    fc.assert(
      fc.property(mergeHistory({ tables: ['notes'], clashing: true }), (history) => {
        const rows = new Map<string, { at: number; by: string; row?: object | undefined }>()
        for (const { by, changes } of history)
          for (const { id, at, op, row } of changes.toSorted((a, b) => a.at - b.at)) {
            const stored = rows.get(id)
            const isLater = !stored || at > stored.at || (at === stored.at && by > stored.by)
            if (!isLater || (op === 'patch' && !stored?.row)) continue
            if (op === 'delete') rows.set(id, { at, by })
            else rows.set(id, { at, by, row: op === 'put' ? { body: null, ...row } : { ...stored?.row, ...row } })
          }
        const expected = [...rows].map(([id, one]) => ({ table: 'notes', id, ...one }))
        expect(sorted(play(history).rows)).toEqual(sorted(expected))
      }),
      { numRuns },
    )
  })
})
