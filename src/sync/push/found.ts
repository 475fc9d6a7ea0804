import type { RowState } from '../../model/stamp.ts'
import type { Table } from '../../model/table.ts'
import type { Dialect } from '../../sql/dialect.ts'
import type { Cells } from '../../sql/statement.ts'
import type { Planned } from './planned.ts'
import type { RowWrite } from './row-write.ts'

/** What a batch says: its plan, and the rows that came of it. */
export interface Answered {
  readonly scope: string
  readonly passes: readonly (readonly RowWrite[])[]
  readonly plan: readonly Planned[]
  readonly results: readonly (readonly Cells[])[]
}

/** What the database said of one row: the state it is left in, and whether this batch wrote it. */
export interface RowResult {
  readonly state: RowState
  readonly written: 'inserted' | 'updated' | undefined
  readonly cells: Cells
}

/** Reads a line of results, see `resultLine` in sql/result-line.ts. */
export function readResult(cells: Cells): { id: string; result: RowResult } {
  const [sign, at, by, deleted, id] = cells
  const state = { at: Number(at), by: String(by), deleted: Number(deleted) === 1 }
  return {
    id: String(id),
    result: { state, written: sign === 'i' ? 'inserted' : sign === 'u' ? 'updated' : undefined, cells },
  }
}

/** What the database said of each row, before and after the writes. */
export function readFound(
  dialect: Dialect,
  plan: Answered['plan'],
  results: Answered['results'],
): { before: Found; after: Found } {
  const [before, after]: [Found, Found] = [[], []]
  for (const [place, { role }] of plan.entries()) {
    if (role.kind !== 'states' && role.kind !== 'results') continue
    const rows = rowsOf(role.kind === 'states' ? before : after, role.pass, role.table)
    for (const row of results[place] ?? []) {
      const { id, result } = readResult(dialect.splitLine(row))
      rows.set(id, result)
    }
  }
  return { before, after }
}

/** Results by pass, table and id. */
export type Found = Map<Table, Map<string, RowResult>>[]

function rowsOf(found: Found, pass: number, table: Table): Map<string, RowResult> {
  const tables = found[pass] ?? new Map<Table, Map<string, RowResult>>()
  const rows = tables.get(table) ?? new Map<string, RowResult>()
  found[pass] = tables.set(table, rows)
  return rows
}

/** The row as the batch left it, whichever pass saw it last. */
export function latest(after: Found, table: Table, id: string): RowResult | undefined {
  for (let pass = after.length - 1; pass >= 0; pass--) {
    const result = after[pass]?.get(table)?.get(id)
    if (result) return result
  }
  return undefined
}

/** Who holds the keys that rows would have taken, by table and id of the row, and pass. */
export type Taken = ReadonlyMap<string, Cells>

export const takenKey = (pass: number, table: Table, id: string): string => `${pass}\n${table.name}\n${id}`

export function readTaken(dialect: Dialect, plan: Answered['plan'], results: Answered['results']): Taken {
  const taken = new Map<string, Cells>()
  for (const [place, { role }] of plan.entries()) {
    if (role.kind !== 'taken') continue
    for (const [id, ...cells] of results[place] ?? [])
      taken.set(takenKey(role.pass, role.table, String(id)), dialect.splitLine(cells))
  }
  return taken
}
