import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Change, decodeChange } from '../../src/model/change.ts'
import { counterEdits, type MergeState, mergeChange, stampText } from '../../src/model/merge.ts'
import { type MergeKinds, mergeHistory, mergeStart } from '../support/merge-histories.ts'
import { createMergeReference, type MergeChange, type MergeVerdict } from '../support/merge-reference.ts'
import { mergeSchema } from '../support/merge-schema.ts'
import { mergeTableNames, mergeTables } from '../support/merge-tables.ts'

const numRuns = Number(process.env.MERGE_RUNS ?? 500)

const context = {
  ...{ schema: mergeSchema, now: mergeStart + 3_600_000_000, clockDriftMsMax: 300_000 },
  ...{ measure: false, pulled: false, stampless: false },
}

/** What the product says of one change after the other, of one scope, without a database. */
function createJudge() {
  const states = new Map<string, MergeState>()
  const known = new Set<string>()
  return (said: MergeChange, by: string): MergeVerdict => {
    const { change, error } = decodeChange(said, 0, context)
    if (!change) return { verdict: 'rejected', code: error?.code ?? 'dropped' }
    const key = `${change.table.name} ${change.id}`
    const addOf = (place: number, at: number) => `${key} ${place} ${at} ${by}`
    const before = states.get(key)
    const { outcome, state } = mergeChange(before, change, by, (place, at) => known.has(addOf(place, at)))
    if (outcome.verdict === 'applied')
      for (const place of addsTaken(before, change, by)) known.add(addOf(place, change.at))
    if (state) states.set(key, state)
    if (outcome.verdict === 'rejected') return { verdict: 'rejected', code: outcome.error.code }
    return outcome
  }
}

/** The counters whose last set is older than the change that adds. */
function addsTaken(before: MergeState | undefined, change: Change, by: string): number[] {
  const setOf = (place: number) => (before?.deleted ? undefined : before?.stamps.get(place))
  return counterEdits(change)
    .filter(([place, edit]) => 'add' in edit && (setOf(place) ?? '') < stampText({ at: change.at, by }))
    .map(([place]) => place)
}

describe('what the rules of merging say of one change after the other', () => {
  const kinds: readonly (readonly [string, MergeKinds & { clashing?: boolean }])[] = [
    ...mergeTableNames.map((table) => [table, { tables: [table], ids: ['a'] }] as const),
    ['patches that create', { creates: true, ids: ['a'] }],
    ['stamps given twice', { clashing: true, atMax: 5, ids: ['a'] }],
    ['the row that was seen', { conditions: true, atMax: 5, tables: ['products', 'notes'], ids: ['a'] }],
  ]
  it.each(kinds)('is what the reference says: %s', (_, kind) => {
    fc.assert(
      fc.property(mergeHistory(kind), (history) => {
        const judge = createJudge()
        const reference = createMergeReference(mergeTables)
        for (const { by, changes } of history)
          for (const change of changes) {
            const expected = reference.apply(change, by, '')
            expect(judge(change, by), JSON.stringify({ by, ...change })).toEqual(expected)
          }
      }),
      { numRuns },
    )
  })
})
