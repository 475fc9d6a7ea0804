import { type Change, isNewest } from '../../model/change.ts'
import { bringsOther } from '../../model/same-content.ts'
import { judge, judgeInTurn, type Outcome, type RowState, refusal } from '../../model/stamp.ts'
import type { Table } from '../../model/table.ts'
import type { Verdict } from '../../model/verdict.ts'
import type { Dialect } from '../../sql/dialect.ts'
import type { Cells } from '../../sql/statement.ts'
import { resultCells } from '../../sql/table-sql.ts'
import type { Return } from '../../wire/request.ts'
import type { RowWrite } from './coalesce.ts'
import type { Planned } from './planned.ts'
import type { Verdicts } from './verdicts.ts'

/** What the database said of one row: the state it is left in, and whether this batch wrote it. */
interface RowResult {
  readonly state: RowState
  readonly written: 'inserted' | 'updated' | undefined
  readonly cells: Cells
}

/** Reads a line of results, see `resultLine` in sql/table-sql.ts. */
function readResult(cells: Cells): { id: string; result: RowResult } {
  const [sign, at, by, deleted, id] = cells
  const state = { at: Number(at), by: String(by), deleted: Number(deleted) === 1 }
  return {
    id: String(id),
    result: { state, written: sign === 'i' ? 'inserted' : sign === 'u' ? 'updated' : undefined, cells },
  }
}

/** What a batch says: its plan, and the rows that came of it. */
export interface Answered {
  readonly scope: string
  readonly passes: readonly (readonly RowWrite[])[]
  readonly plan: readonly Planned[]
  readonly results: readonly (readonly Cells[])[]
}

/**
 * The verdict of every change of a scope, out of the rows of a batch. A change alone for its row is
 * judged by the row it met; several changes of one row in turn, from the state before them.
 */
export function reconcile(
  dialect: Dialect,
  { scope, passes, plan, results }: Answered,
  client: string,
  returned: Return,
): Verdicts {
  const verdicts = new Map<number, Verdict>()
  const { before, after } = readFound(dialect, plan, results)
  for (const [pass, rows] of passes.entries()) {
    for (const { table, id, alone, changes } of rows) {
      const state = alone ? undefined : before[pass]?.get(table)?.get(id)?.state
      const current = latest(after, table, id)
      const left = after[pass]?.get(table)?.get(id)
      const outcomes = alone
        ? changes.map((change) => judgeAlone(change, current, client))
        : judgeInTurn(state, changes, client).map((outcome, place) =>
            isKept(outcome, changes[place]?.at, left) ? outcome : rejectedOutcome,
          )
      let json: string | undefined
      const read = ({ cells }: RowResult) => {
        json ??= dialect.readRow(table, scope, cells, resultCells)
        return json
      }
      for (const [place, change] of changes.entries()) {
        const outcome = outcomes[place] as Outcome
        const verdict =
          current &&
          outcome.verdict === 'duplicate' &&
          bringsOther(change, changes, client, current.state, () => read(current))
            ? { ...outcome, conflicting: true as const }
            : outcome
        const known = returned === 'lost' && alone && holdsItself(change, verdict)
        const isBare = outcome.verdict === 'rejected' || known || !current
        verdicts.set(change.index, isBare ? verdict : { ...verdict, current: read(current) })
      }
    }
  }
  return verdicts
}

/**
 * Whether the client holds the row as it is stored: it was the client that sent all of it, in this
 * spelling.
 */
function holdsItself({ op, respelled }: Change, { verdict, conflicting }: Verdict): boolean {
  return op !== 'patch' && !respelled && verdict !== 'stale' && !conflicting
}

/**
 * The duplicates of a webhook that bring other content: its verdicts are known by its claim and
 * carry no rows.
 */
export function markConflicts(
  dialect: Dialect,
  { scope, passes, plan, results }: Answered,
  client: string,
  verdicts: Verdicts,
): Verdicts {
  const marked = new Map<number, Verdict>()
  const { after } = readFound(dialect, plan, results)
  for (const { table, id, changes } of passes.flat()) {
    const current = latest(after, table, id)
    for (const change of changes) {
      const verdict = verdicts.get(change.index)
      if (!current || verdict?.verdict !== 'duplicate') continue
      const read = () => dialect.readRow(table, scope, current.cells, resultCells)
      if (bringsOther(change, changes, client, current.state, read))
        marked.set(change.index, { ...verdict, conflicting: true })
    }
  }
  return marked
}

/** How many tombstones were stored of ids that had no row. */
export function countUnseen(
  dialect: Dialect,
  { passes, plan, results }: Pick<Answered, 'passes' | 'plan' | 'results'>,
): number {
  const isDelete = ({ base }: RowWrite) => base?.op === 'delete'
  if (!passes.some((rows) => rows.some(isDelete))) return 0
  const { after } = readFound(dialect, plan, results)
  let count = 0
  for (const [pass, rows] of passes.entries()) {
    for (const row of rows) {
      if (isDelete(row) && after[pass]?.get(row.table)?.get(row.id)?.written === 'inserted') count++
    }
  }
  return count
}

/** What the database said of each row, before and after the writes. */
function readFound(
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
type Found = Map<Table, Map<string, RowResult>>[]

function rowsOf(found: Found, pass: number, table: Table): Map<string, RowResult> {
  const tables = found[pass] ?? new Map<Table, Map<string, RowResult>>()
  const rows = tables.get(table) ?? new Map<string, RowResult>()
  found[pass] = tables.set(table, rows)
  return rows
}

function judgeAlone(
  { op, at }: { op: 'put' | 'patch' | 'delete'; at: number },
  result: RowResult | undefined,
  by: string,
): Outcome {
  if (!result?.written) {
    const outcome = judge(result?.state, op, { at, by })
    return outcome.verdict === 'applied' ? rejectedOutcome : outcome
  }
  return { verdict: 'applied', action: op === 'delete' ? 'deleted' : op === 'put' ? result.written : 'updated' }
}

/**
 * What applies leaves its stamp, or a later one of its pass. Where it did not, a trigger kept the
 * row from being written without an error, and no other verdict would be true.
 */
function isKept(outcome: Outcome, at = 0, left: RowResult | undefined): boolean {
  return outcome.verdict !== 'applied' || (left !== undefined && left.state.at >= at)
}

const rejectedOutcome: Outcome = { verdict: 'rejected', error: refusal }

/**
 * The changes that were told to apply and whose row was not written, or not by them: a webhook's
 * verdicts come before its writes.
 */
export function swallowedOf(
  dialect: Dialect,
  { passes, plan, results }: Answered,
  verdicts: Verdicts,
): ReadonlySet<number> {
  const written = new Set<string>()
  for (const [place, { role }] of plan.entries()) {
    if (role.kind !== 'results') continue
    for (const row of results[place] ?? []) {
      const { id, result } = readResult(dialect.splitLine(row))
      if (result.written) written.add(`${role.table.name}\n${id}`)
    }
  }
  const { after } = readFound(dialect, plan, results)
  const unkept = passes.flatMap((rows, pass) =>
    rows.flatMap(({ table, id, changes, base }) => {
      if (!written.has(`${table.name}\n${id}`)) return changes
      // The row of a put comes back without its stamp, that of the patches behind it with it.
      const at = after[pass]?.get(table)?.get(id)?.state.at ?? 0
      const isBehind = (change: Change) => change.op === 'patch' && change.at > (base?.at ?? 0)
      return changes.filter((change) => isBehind(change) && !isNewest(change) && at < change.at)
    }),
  )
  return new Set(unkept.map(({ index }) => index).filter((index) => verdicts.get(index)?.verdict === 'applied'))
}

/** The row as the batch left it, whichever pass saw it last. */
function latest(after: Found, table: Table, id: string): RowResult | undefined {
  for (let pass = after.length - 1; pass >= 0; pass--) {
    const result = after[pass]?.get(table)?.get(id)
    if (result) return result
  }
  return undefined
}
