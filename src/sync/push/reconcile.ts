import { type Change, isStampless } from '../../model/change.ts'
import { hasRules } from '../../model/merge.ts'
import { bringsOther } from '../../model/same-content.ts'
import { judgeChange, judgeInTurn, type Outcome, refusal, rejectedChanged, rejectedTaken } from '../../model/stamp.ts'
import type { Verdict } from '../../model/verdict.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { resultCells } from '../../sql/result-line.ts'
import type { Return } from '../../wire/request.ts'
import { type Answered, latest, type RowResult, readFound, readResult, readTaken, takenKey } from './found.ts'
import { createMerging, ruledRows, takenVerdict } from './merging.ts'
import type { RowWrite } from './row-write.ts'
import { saysKey } from './unique-keys.ts'
import type { Verdicts } from './verdicts.ts'

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
  const taken = readTaken(dialect, plan, results)
  const merging = createMerging({ dialect, scope, plan, results, client, taken })
  for (const [pass, rows] of passes.entries()) {
    for (const { table, id, alone, changes } of rows) {
      if (hasRules(table)) continue
      const state = alone ? undefined : before[pass]?.get(table)?.get(id)?.state
      const current = latest(after, table, id)
      const left = after[pass]?.get(table)?.get(id)
      const holder = taken.size > 0 ? taken.get(takenKey(pass, table, id)) : undefined
      const isTaken = (change: Change) => holder !== undefined && saysKey(change)
      const outcomes = alone
        ? changes.map((change) => {
            const outcome = judgeAlone(change, current, client)
            return outcome === rejectedOutcome && isTaken(change) ? rejectedTaken : outcome
          })
        : judgeInTurn(state, changes, client, isTaken).map((outcome, place) =>
            isKept(outcome, changes[place]?.at, left) ? outcome : rejectedOutcome,
          )
      let json: string | undefined
      const read = ({ cells }: RowResult) => {
        json ??= dialect.readRow(table, scope, cells, resultCells(table))
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
        if (outcome === rejectedTaken && holder) {
          verdicts.set(change.index, takenVerdict(dialect, scope, table, holder))
          continue
        }
        const known = returned === 'lost' && alone && !table.rewrites && holdsItself(change, verdict)
        const isBare = (outcome.verdict === 'rejected' && !tellsRow(outcome)) || known || !current
        verdicts.set(change.index, isBare ? verdict : { ...verdict, current: read(current) })
      }
    }
  }
  for (const row of ruledRows(passes))
    for (const [index, verdict] of merging(row, before, after)) verdicts.set(index, verdict)
  return verdicts
}

/** Whether a rejected change is told what is stored. */
const tellsRow = (outcome: Outcome) => outcome === rejectedChanged

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
      const read = () => dialect.readRow(table, scope, current.cells, resultCells(table))
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

function judgeAlone(change: Change, result: RowResult | undefined, by: string): Outcome {
  const { op, at, created } = change
  if (!result?.written) {
    const outcome = judgeChange(result?.state, change, { at, by })
    return outcome.verdict === 'applied' ? rejectedOutcome : outcome
  }
  const action = op === 'delete' ? 'deleted' : op === 'put' || created ? result.written : 'updated'
  return { verdict: 'applied', action }
}

/**
 * What applies leaves its stamp, or a later one of its pass. Where it did not, a trigger kept the
 * row from being written without an error, and no other verdict would be true.
 */
function isKept(outcome: Outcome, at = 0, left: RowResult | undefined): boolean {
  return outcome.verdict !== 'applied' || (left !== undefined && left.state.at >= at)
}

export const rejectedOutcome: Outcome = { verdict: 'rejected', error: refusal }

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
      return changes.filter((change) => isBehind(change) && !isStampless(change) && at < change.at)
    }),
  )
  return new Set(unkept.map(({ index }) => index).filter((index) => verdicts.get(index)?.verdict === 'applied'))
}
