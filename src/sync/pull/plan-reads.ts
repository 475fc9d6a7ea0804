import type { Change } from '../../model/change.ts'
import { cursorFloor } from '../../model/cursor.ts'
import type { Cursor } from '../../model/cursor-entry.ts'
import type { Table } from '../../model/table.ts'
import { gateFields } from '../../sql/count-sql.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { AskedPage } from '../../sql/scope-pages.ts'
import type { Statement } from '../../sql/statement.ts'
import type { Planned } from '../push/planned.ts'

/**
 * One statement: a page of one scope, which for a bootstrap has no tombstone at all, without the
 * last `n` positions, which the same transaction took.
 */
export function planPage(
  { scope: sql }: Sql,
  { scope, entry, n }: Omit<AskedPage, 'place'>,
  limit: number,
  sized: boolean,
): Statement {
  const { position, start } = entry ?? { position: 0, start: Number.MAX_SAFE_INTEGER }
  const [page, sizedPage] = start > position ? [sql.firstPage, sql.sizedFirstPage] : [sql.page, sql.sizedPage]
  return {
    sql: sized ? sizedPage : page,
    params: [scope, position, start, n, limit],
    reads: true,
  }
}

/** Hold a cursor against scopes that are not written. */
export function planGates(
  { dialect, gates, paramBytesMax }: Sql,
  scopes: readonly string[],
  cursor: Cursor | null | undefined,
): Statement[] {
  const rows = scopes.flatMap((scope) => {
    const entry = cursor?.get(scope)
    return entry ? [[scope, entry.incarnation, cursorFloor(entry)]] : []
  })
  if (rows.length === 0) return []
  const parts = encodeParts(rows, (part) => dialect.encodeRows(gateFields, part), paramBytesMax)
  return parts.map((params) => ({ sql: gates, params, reads: true }))
}

/** Which of the changes' rows are there, tombstones too; or what else a statement says of them. */
export function planIds(
  { dialect, tables, paramBytesMax }: Sql,
  scope: string,
  changes: readonly Change[],
  statementOf?: (table: Table) => string,
): Planned[] {
  return tables.flatMap(({ table, states }) => {
    const ids = changes.filter((change) => change.table.name === table.name).map(({ id }) => id)
    if (ids.length === 0) return []
    const text = statementOf ? statementOf(table) : states
    return encodeParts(ids, (part) => [dialect.encodeIds(part)], paramBytesMax).map(
      (part): Planned => ({
        sql: text,
        params: [scope, ...part],
        reads: true,
        role: { kind: 'states', table, pass: 0 },
      }),
    )
  })
}
