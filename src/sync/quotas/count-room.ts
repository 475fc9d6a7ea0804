import type { RoomSql } from '../../sql/room-sql.ts'
import type { Cells } from '../../sql/statement.ts'
import type { Store } from '../../stores/store.ts'
import type { Room } from '../push/room.ts'

/**
 * Counts what lives in a scope up to a position, table by table, in reads of so many rows: between
 * two of them others have their turn. What moves on meanwhile gets a position beyond that one, so
 * the writes since are what may have been missed. It ends where more rows than asked for are found.
 */
export async function countInSteps(
  batch: Store['batch'],
  { steps }: Pick<RoomSql, 'steps'>,
  scope: string,
  { position, rowsMax, stepRows }: { readonly position: number; readonly rowsMax: number; readonly stepRows: number },
): Promise<Room> {
  let [rows, bytes] = [0, 0]
  for (const sql of steps) {
    for (let after = 0; rows < rowsMax; ) {
      const [[found] = []] = await batch(scope, [{ sql, params: [scope, after, position, stepRows] }])
      const [count, size, last] = readStep(found)
      rows += count
      bytes += size
      if (count < stepRows) break
      after = last
    }
  }
  return { rows, bytes }
}

const readStep = (row: Cells = []) => [Number(row[0] ?? 0), Number(row[1] ?? 0), Number(row[2] ?? 0)] as const
