import type { Stamp } from '../../src/model/stamp.ts'
import { counterValue } from './merge-columns.ts'
import { decide, type MergeChange, type MergeVerdict, type ReferenceTable, rowStamp, type State } from './merge-row.ts'

export type { MergeChange, MergeVerdict, ReferenceTable }

/** A row as the wire shows it, but for its position. */
export interface MergeRow extends Stamp {
  readonly table: string
  readonly id: string
  /** Absent: a tombstone. */
  readonly row?: Readonly<Record<string, unknown>>
}

/**
 * What columns that merge must do, one change at a time, in plain values: no SQL, nothing folded,
 * no stamp left out because it is another's, and a counter is computed from all that was ever said.
 *
 * It is one scope. `now` is the server's time as a filled column shows it.
 */
export function createMergeReference(tables: Readonly<Record<string, ReferenceTable>>) {
  const states = new Map<string, State>()
  let floor = 0

  function apply(change: MergeChange, by: string, now: string): MergeVerdict {
    const table = tables[change.table] as ReferenceTable
    const key = JSON.stringify([change.table, change.id])
    const before = states.get(key)
    const decided = decide(table, before, change, { by, now, floor })
    if (decided.state) states.set(key, decided.state)
    return decided.verdict
  }

  /** A change set: each change by itself, in stamp order, and of equal stamps the first first. */
  function push(changes: readonly MergeChange[], by: string, now: string): MergeVerdict[] {
    const verdicts: MergeVerdict[] = []
    const inTurn = changes.map((change, index) => ({ change, index }))
    inTurn.sort((a, b) => a.change.at - b.change.at || a.index - b.index)
    for (const { change, index } of inTurn) verdicts[index] = apply(change, by, now)
    return verdicts
  }

  function rows(): MergeRow[] {
    return [...states].map(([key, state]) => {
      const [table, id] = JSON.parse(key)
      const shown = { table, id, ...rowStamp(state) }
      if (state.deleted) return shown
      const counters = Object.entries(state.counters).map(([name, counter]) => [name, counterValue(counter)] as const)
      return { ...shown, row: { ...state.values, ...Object.fromEntries(counters) } }
    })
  }

  const forget = (at: number) => {
    floor = Math.max(floor, at)
  }
  return { apply, push, rows, forget }
}
