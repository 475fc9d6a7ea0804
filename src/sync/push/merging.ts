import type { Change } from '../../model/change.ts'
import {
  counterEdits,
  hasRules,
  hasStamp,
  isMerged,
  lostColumns,
  type MergeState,
  mergeChange,
  stampText,
} from '../../model/merge.ts'
import { keyTaken, type Outcome, refusal, rejectedChanged } from '../../model/stamp.ts'
import type { Table } from '../../model/table.ts'
import type { Verdict } from '../../model/verdict.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { resultCells } from '../../sql/result-line.ts'
import type { Cells } from '../../sql/statement.ts'
import { type Answered, type Found, latest, type RowResult, type Taken, takenKey } from './found.ts'
import { saysKey } from './unique-keys.ts'

/** All that a change set does to one row of a table with rules, over all passes. */
export interface RuledRow {
  readonly table: Table
  readonly id: string
  readonly alone: boolean
  readonly passes: readonly { readonly pass: number; readonly changes: readonly Change[] }[]
}

export function ruledRows(passes: Answered['passes']): RuledRow[] {
  const rows = new Map<string, RuledRow & { passes: { pass: number; changes: readonly Change[] }[] }>()
  for (const [pass, some] of passes.entries()) {
    for (const { table, id, alone, changes } of some) {
      if (!hasRules(table)) continue
      const key = `${table.name}\n${id}`
      const row = rows.get(key) ?? { table, id, alone, passes: [] }
      row.passes.push({ pass, changes })
      rows.set(key, row)
    }
  }
  return [...rows.values()]
}

interface MergingContext {
  readonly dialect: Dialect
  readonly scope: string
  readonly plan: Answered['plan']
  readonly results: Answered['results']
  readonly client: string
  readonly taken: Taken
}

/**
 * The verdicts of the changes of a row whose columns meet by rules: of one that was written alone
 * by the row as it is now, of several in turn from the row as it was before their pass.
 */
export function createMerging({ dialect, scope, plan, results, client, taken }: MergingContext) {
  const known = knownAdds(plan, results)
  return (row: RuledRow, before: Found, after: Found): [number, Verdict][] => {
    const { table, id, alone, passes } = row
    const current = latest(after, table, id)
    const isKnown = (place: number, at: number) =>
      known.get(table)?.has(`${id}\n${at}\n${table.columns[place]?.name}`) === true
    const read = (result: RowResult) => dialect.readRow(table, scope, result.cells, resultCells(table))
    const stateOf = (result: RowResult | undefined) => result && readState(table, result, () => read(result))
    const verdicts: [number, Verdict][] = []
    let json: string | undefined
    const answer = ({ index }: Change, outcome: Outcome) => {
      const isBare = (outcome.verdict === 'rejected' && outcome !== rejectedChanged) || !current
      if (!isBare) json ??= read(current)
      verdicts.push([index, isBare || json === undefined ? outcome : { ...outcome, current: json }])
    }
    const [change] = passes[0]?.changes ?? []
    if (alone && change && current?.written) {
      const state = stateOf(current) as MergeState
      const lost = lostColumns(state, change, client)
      const made = change.op === 'put' || change.created ? current.written : 'updated'
      const action = change.op === 'delete' ? 'deleted' : made
      answer(change, { verdict: 'applied', action, ...(lost.length > 0 && { lost }) })
      return verdicts
    }
    // A trigger may have kept the row from being written without an error.
    const isWritten = passes.some(({ pass }) => after[pass]?.get(table)?.get(id)?.written !== undefined)
    const counted = new Set<string>()
    for (const { pass, changes } of passes) {
      const holder = taken.get(takenKey(pass, table, id))
      let state = stateOf(alone ? current : before[pass]?.get(table)?.get(id))
      for (const one of changes) {
        const isCounted = (place: number, at: number) => isKnown(place, at) || counted.has(`${place} ${at}`)
        const { outcome, state: next } = mergeChange(state, one, client, isCounted)
        if (outcome.verdict !== 'applied') answer(one, outcome)
        else if (holder && saysKey(one)) verdicts.push([one.index, takenVerdict(dialect, scope, table, holder)])
        else if (!isWritten) answer(one, { verdict: 'rejected', error: refusal })
        else {
          const text = stampText({ at: one.at, by: client })
          for (const [place] of counterEdits(one))
            if ((next?.stamps.get(place) ?? '') < text) counted.add(`${place} ${one.at}`)
          state = next
          answer(one, outcome)
        }
      }
    }
    return verdicts
  }
}

/** The verdict of a change whose key another row holds. */
export function takenVerdict(dialect: Dialect, scope: string, table: Table, holder: Cells): Verdict {
  return { verdict: 'rejected', error: keyTaken, current: dialect.readRow(table, scope, holder, resultCells(table)) }
}

/** Adds that were counted before this push, by id, time and column. */
function knownAdds(plan: Answered['plan'], results: Answered['results']): ReadonlyMap<Table, ReadonlySet<string>> {
  const known = new Map<Table, Set<string>>()
  for (const [place, { role }] of plan.entries()) {
    if (role.kind !== 'known') continue
    const set = known.get(role.table) ?? new Set<string>()
    for (const [id, at, column] of results[place] ?? []) set.add(`${id}\n${at}\n${column}`)
    known.set(role.table, set)
  }
  return known
}

/** The state of a row out of a line of results: its stamps, and the values that merge. */
function readState(table: Table, { state, cells }: RowResult, json: () => string): MergeState {
  const texts = String(cells[resultCells(table) - 1] ?? '').split(',')
  const [at, by] = table.byColumn ? texts.splice(0, 2) : []
  const stamps = new Map<number, string>()
  let next = 0
  for (const [place, column] of table.columns.entries()) {
    if (!hasStamp(table, column)) continue
    const text = texts[next++]
    if (text) stamps.set(place, text)
  }
  const values = new Map<number, unknown>()
  if (!state.deleted && table.columns.some(isMerged)) {
    const { row = {} } = JSON.parse(json()) as { row?: Record<string, unknown> }
    for (const [place, column] of table.columns.entries()) if (isMerged(column)) values.set(place, row[column.wire])
  }
  return { ...state, base: at && by ? { at: Number(at), by } : undefined, stamps, values }
}
