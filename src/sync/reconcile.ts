import { resolveMarks } from '../dialects/dialect.ts'
import type { Cells } from '../stores/store.ts'
import type { RowWrite } from './coalesce.ts'
import type { Planned } from './compile.ts'
import type { Return } from './request.ts'
import { judge, judgeInTurn, type Outcome, type RowState } from './stamp.ts'

/** The answer to one change. `current` is JSON text as the database wrote it: it goes out as it is. */
export type Verdict = Outcome & { readonly current?: string }

/** What the database said of one row: the state it is left in, and whether this batch wrote it. */
interface RowResult {
  readonly state: RowState
  readonly written: 'inserted' | 'updated' | undefined
  readonly json: string
}

/** Reads a line of results, see `resultLine` in dialects/sql.ts. */
function parseResult(line: string): { id: string; result: RowResult } {
  const [sign, at, by, deleted, id, json] = line.split('\n') as [string, string, string, string, string, string]
  const state = { at: Number(at), by, deleted: deleted === '1' }
  const written = sign === 'i' ? 'inserted' : sign === 'u' ? 'updated' : undefined
  return { id, result: { state, written, json: resolveMarks(json) } }
}

/**
 * Gives every change of a scope its verdict, in `verdicts` at its own index, out of the rows of a batch. A change alone
 * for its row is judged by the row it met; several changes of one row in turn, from the state before them.
 */
export function reconcile(
  passes: readonly (readonly RowWrite[])[],
  plan: readonly Planned[],
  results: readonly (readonly Cells[])[],
  client: string,
  returned: Return,
  verdicts: (Verdict | undefined)[],
): void {
  const before = new Map<string, RowResult>()
  const after = new Map<string, RowResult>()
  for (const [place, { role }] of plan.entries()) {
    if (role.kind !== 'states' && role.kind !== 'results') continue
    for (const [line] of results[place] ?? []) {
      const { id, result } = parseResult(String(line))
      if (role.kind === 'states') before.set(keyOf(role.pass, role.table, id), result)
      else after.set(keyOf(role.pass, role.table, id), result)
    }
  }
  for (const [pass, rows] of passes.entries()) {
    for (const { table, id, alone, changes } of rows) {
      const state = before.get(keyOf(pass, table.name, id))?.state
      const current = latest(after, passes.length, table.name, id)
      const outcomes = alone
        ? changes.map((change) => judgeAlone(change, current, client))
        : judgeInTurn(state, changes, client)
      for (const [place, { index, op }] of changes.entries()) {
        const outcome = outcomes[place] as Outcome
        const known = returned === 'lost' && alone && op !== 'patch' && outcome.verdict !== 'stale'
        verdicts[index] =
          outcome.verdict === 'rejected' || known || !current ? outcome : { ...outcome, current: current.json }
      }
    }
  }
}

function judgeAlone(
  { op, at }: { op: 'put' | 'patch' | 'delete'; at: number },
  result: RowResult | undefined,
  by: string,
): Outcome {
  // A put or delete always leaves a row. None: a trigger swallowed it, and no verdict would be true.
  if (!result && op !== 'patch') throw new Error('The database answered nothing for a change')
  if (!result?.written) return judge(result?.state, op, { at, by })
  return { verdict: 'applied', action: op === 'delete' ? 'deleted' : op === 'put' ? result.written : 'updated' }
}

/** The row as the batch left it, whichever pass saw it last. */
function latest(
  after: ReadonlyMap<string, RowResult>,
  passes: number,
  table: string,
  id: string,
): RowResult | undefined {
  for (let pass = passes - 1; pass >= 0; pass--) {
    const result = after.get(keyOf(pass, table, id))
    if (result) return result
  }
  return undefined
}

const keyOf = (pass: number, table: string, id: string) => `${pass}\n${table}\n${id}`
