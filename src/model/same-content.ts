import type { Change } from './change.ts'
import type { RowState } from './stamp.ts'

/** A change as a database gives it back. */
interface Stored {
  readonly op: string
  readonly row?: Readonly<Record<string, unknown>>
}

/**
 * Whether a duplicate brings other content than what has its stamp: two devices with the name of
 * one, or a file that was mended and has its old stamp. Last writer wins cannot tell them apart, so
 * the second is lost, and somebody should hear of it. `current` is the row as it is stored now,
 * `changes` are those of the row in the change set, `by` who wrote them. What has been overwritten
 * since is not known any more, and counts as the same.
 */
export function bringsOther(
  change: Change,
  changes: readonly Change[],
  by: string,
  state: RowState | undefined,
  current: () => string,
): boolean {
  if (state?.at === change.at && state.by === by) return !isStored(change, JSON.parse(current()))
  const first = changes.find(({ at }) => at === change.at)
  return first !== undefined && first !== change && !isSame(first, change)
}

/** What a patch leaves as it is cannot differ. */
function isStored({ op, table, values }: Change, { op: storedOp, row = {} }: Stored): boolean {
  if (op === 'delete' || storedOp === 'delete') return op === storedOp
  return table.columns.every(
    ({ wire, kept }, place) => kept || values[place] === undefined || sameText(values[place], row[wire]),
  )
}

function isSame(one: Change, other: Change): boolean {
  return one.op === other.op && one.values.every((value, place) => sameText(value, other.values[place]))
}

/**
 * By the text that is stored and sent, in which -0 is 0 and the members of an object have their
 * order.
 */
export const sameText = (one: unknown, other: unknown) => one === other || JSON.stringify(one) === JSON.stringify(other)
