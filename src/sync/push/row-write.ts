import type { Change } from '../../model/change.ts'
import type { Table } from '../../model/table.ts'

/** The changes of one row that one pass over the database can apply together. */
export interface RowWrite {
  readonly table: Table
  readonly id: string
  /**
   * 1, 2, 3 … in the order of the change set: the row's position is the scope's position before the
   * push plus this.
   */
  readonly ordinal: number
  /** Whether the change set holds no other change of this row. */
  readonly alone: boolean
  /** In stamp order; of equal stamps the first in the list is first. */
  readonly changes: readonly Change[]
  /**
   * They came without a stamp, and win over whatever is stored. The base then holds the patches
   * after it as well.
   */
  readonly stampless: boolean
  /** The last put or delete. Whatever came before it is gone, if it wins. */
  readonly base: Change | undefined
  /** The patch that makes the row where none lives. It is among those of `patch` as well. */
  readonly created: Change | undefined
  /** The patches after it, folded into one. */
  readonly patch: FoldedPatch | undefined
  /** What is added to counters, after all else. */
  readonly adds: readonly Add[]
}

/** What is added to the counter at a place of the columns, and when its writer did it. */
export interface Add {
  readonly place: number
  readonly at: number
  readonly n: number
}

/**
 * Patches p1 < p2 < … of one row as one. Of them exactly those later than the stored stamp apply;
 * the last of them that sets a column is later than the stored stamp if any that sets it is. So
 * each column needs only its last value and the stamp of that, and `SET c = CASE WHEN stored stamp
 * < stamp of c …` picks the right suffix, whatever is stored.
 */
export interface FoldedPatch {
  /**
   * The stamp of the last patch, which the row takes. Undefined: it names only columns that merge.
   */
  readonly at: number | undefined
  /** By place of the column. */
  readonly columns: ReadonlyMap<number, { readonly value: unknown; readonly at: number }>
}

/**
 * As a database checks constraints row by row, a unique value may move from one row to another:
 * first the deletes, then the rows in the order of their stamps. The scope's lock keeps driftline's
 * writers apart, so ids need no order.
 */
export function inWriteOrder(rows: readonly RowWrite[]): RowWrite[] {
  const rank = ({ base }: RowWrite) => (base?.op === 'delete' ? 0 : 1)
  const at = ({ base, created, patch }: RowWrite) => (base ?? created ?? patch)?.at ?? 0
  return rows.toSorted((a, b) => rank(a) - rank(b) || at(a) - at(b) || a.ordinal - b.ordinal)
}
