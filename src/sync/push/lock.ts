import type { Sql } from '../../sql/schema-sql.ts'
import type { LockOptions, Planned } from './planned.ts'

/**
 * The first statement of every write. The batch undoes itself where a row was larger than fits, or
 * the room may not be enough.
 */
export function compileLock(
  sql: Sql,
  scope: string,
  { incarnation, room }: LockOptions,
  n: number,
  rowBytes: number,
  rowBytesMax: number,
): Planned {
  const params = [scope, incarnation, n, rowBytes, rowBytesMax]
  if (!room) return { sql: sql.scope.lock, params, takes: n, role: { kind: 'head' } }
  const { at, rows, bytes, isOwnKnown } = room
  const bounds = [at + (isOwnKnown ? n : 0), rows, bytes]
  return { sql: sql.scope.boundedLock, params: [...params, ...bounds], takes: n, role: { kind: 'head' } }
}
