import type { Planned, Sql } from './plan.ts'

/**
 * How far a scope's position may be past the one at which its rows were counted, so that it cannot hold too much: each
 * position since then is one row at the most, of twice the size of its largest. Costs no statement.
 */
export interface RoomBound {
  readonly at: number
  readonly rows: number
  readonly bytes: number
  /** The positions of this write are not counted: it is known what they bring. */
  readonly isOwnKnown: boolean
}

export interface LockWish {
  /** Drawn at random; becomes the scope's incarnation if this write is its first. */
  readonly incarnation: string
  readonly room?: RoomBound | undefined
}

/** The first statement of every write. The batch undoes itself where a row was larger than fits, or the room may not be enough. */
export function compileLock(
  sql: Sql,
  scope: string,
  { incarnation, room }: LockWish,
  n: number,
  rowBytes: number,
  rowBytesMax: number,
): Planned {
  const params = [scope, incarnation, n, rowBytes, rowBytesMax]
  if (!room) return { sql: sql.scope.lock, params, role: { kind: 'head' } }
  const { at, rows, bytes, isOwnKnown } = room
  const bounds = [at + (isOwnKnown ? n : 0), rows, bytes]
  return { sql: sql.scope.boundedLock, params: [...params, ...bounds], role: { kind: 'head' } }
}
