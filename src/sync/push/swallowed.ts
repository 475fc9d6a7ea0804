import { type Change, isNewest } from '../../model/change.ts'
import { refusal } from '../../model/stamp.ts'
import type { Verdict } from '../../model/verdict.ts'
import { rowsOf } from './coalesce.ts'
import type { Verdicts } from './verdicts.ts'

/**
 * The changes of rows of which a trigger swallowed several, folded into one: it may have meant one
 * of them only. Nothing of them is there. In stamp order; those without a stamp stay one change.
 */
export function foldedAndSwallowed(changes: readonly Change[], verdicts: Verdicts): Change[] {
  const swallowed = changes.filter((change) => {
    const verdict = verdicts.get(change.index)
    return verdict?.verdict === 'rejected' && verdict.error === refusal && !isNewest(change)
  })
  const folded = [...rowsOf(swallowed).values()].filter((row) => row.length > 1)
  return folded.flat().sort((a, b) => a.at - b.at || a.index - b.index)
}

/** The verdicts of a webhook carry no row. */
export function withoutRow(verdict: Verdict): Verdict {
  const { current: _, ...rest } = verdict
  return rest
}
