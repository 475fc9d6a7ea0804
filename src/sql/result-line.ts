import { hasRules } from '../model/merge.ts'
import type { Table } from '../model/table.ts'
import type { Dialect } from './dialect.ts'
import { stampsCell } from './merge-sql.ts'

/**
 * A row of a result: i (inserted), u (updated) or - (not written here); the stored stamp's two
 * halves; 1 for a tombstone; the id; and the row. A won line says of a row written here only that
 * it was: the client holds it already. Written here were all, none, or those beyond a position;
 * that takes a subquery, which Citus does not take in the RETURNING of an INSERT.
 */
export function resultLine(
  dialect: Dialect,
  table: Table,
  written: 'all' | 'none' | { readonly beyond: string },
  rows: 'all' | 'won' | 'none',
): string {
  const winner = "CASE WHEN created_position = position THEN 'i' ELSE 'u' END"
  const won = (empty: string) => dialect.line([winner, empty, empty, empty, 'id'])
  // NULL is the cheapest cell.
  if (rows === 'won' && written === 'all') return won('NULL')
  const isWinner = typeof written === 'object' ? `position > ${written.beyond}` : ''
  const sign =
    written === 'all' ? winner : written === 'none' ? "'-'" : `CASE WHEN ${isWinner} THEN ${winner} ELSE '-' END`
  const stamp = ['updated_at', 'updated_by', 'CASE WHEN deleted THEN 1 ELSE 0 END']
  const stamps = hasRules(table) ? [stampsCell(table)] : []
  const row = rows === 'none' ? [] : [...stamps, ...dialect.row(table)]
  const line = dialect.line([sign, ...stamp, 'id', ...row])
  return rows === 'won' ? `CASE WHEN ${isWinner} THEN ${won("''")} ELSE ${line} END` : line
}

/** The place of the id in a result line. */
export const idCell = 4

/** The cells of a result line before the row: of a table with rules its stamps are one more. */
export const resultCells = (table: Table): number => (hasRules(table) ? 6 : 5)
