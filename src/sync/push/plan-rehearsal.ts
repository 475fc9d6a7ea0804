import type { Change } from '../../model/change.ts'
import type { Table } from '../../model/table.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { Trial, TrialPlan } from '../../sql/rehearse-sql.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import { reachFields, type TableSql } from '../../sql/table-sql.ts'
import { rowBytesMax } from './answer-size.ts'
import { coalesce, type RowWrite } from './coalesce.ts'
import { inWriteOrder, patchValues, reachOf } from './plan.ts'

export interface TrialOptions {
  readonly client: string
  readonly incarnation: string
  /** Nothing may be swallowed by a trigger. */
  readonly atomic: boolean
  /** Whether each part must satisfy what otherwise only a commit would check. */
  readonly immediate: boolean
}

/**
 * What tries parts of a change set one after the other, all of one scope, by the guards of a real
 * write.
 */
export function compileTrial(
  sql: Sql,
  scope: string,
  parts: readonly (readonly Change[])[],
  options: TrialOptions,
): TrialPlan {
  const changes = parts.flat()
  const touched = new Set(changes.map(({ table }) => table))
  const tables = sql.tables.filter(({ table }) => touched.has(table))
  const n = changes.length
  return {
    lock: [scope, options.incarnation, n, rowBytesMax(changes)],
    tables: tables.map(({ table }) => table),
    groups: parts.map((part) =>
      coalesce([part]).flatMap((rows) =>
        tables.flatMap((table, place) => {
          const written = rows.filter((row) => row.table === table.table)
          return written.length > 0 ? compileTable(sql, table, place, [scope, n], written, options) : []
        }),
      ),
    ),
    ids: options.immediate ? parts.map(idsOf) : [],
    immediate: options.immediate,
    nonce: sql.nonce,
  }
}

function idsOf(part: readonly Change[]): { table: Table; ids: string[] }[] {
  const byTable = new Map<Table, Set<string>>()
  for (const { table, id } of part) byTable.set(table, (byTable.get(table) ?? new Set()).add(id))
  return [...byTable].map(([table, ids]) => ({ table, ids: [...ids] }))
}

function compileTable(
  { dialect, paramBytesMax }: Sql,
  sql: TableSql,
  table: number,
  [scope, n]: readonly [string, number],
  rows: readonly RowWrite[],
  { client, atomic }: TrialOptions,
): Trial[] {
  const based = inWriteOrder(rows.filter(({ base }) => base)).map((row) => [
    row.id,
    row.ordinal,
    row.base?.at,
    row.base?.by ?? client,
    row.base?.op === 'delete' || null,
    ...(row.base?.values ?? []),
  ])
  const patched = inWriteOrder(rows.filter(({ patch }) => patch)).map((row) => patchValues(row, row.patch?.at))
  const reaches = atomic ? rows.map((row) => reachOf(row)) : []
  const trials = (
    kind: Trial['kind'],
    params: Trial['params'],
    fields: Parameters<typeof dialect.encodeRows>[0],
    values: readonly (readonly unknown[])[],
  ): Trial[] =>
    values.length === 0
      ? []
      : encodeParts(values, (part) => dialect.encodeRows(fields, part), paramBytesMax).map(
          (part): Trial => ({ kind, table, params: [...params, ...part] }),
        )
  return [
    ...trials('write', [scope, n], sql.bulk.fields, based),
    ...trials('update', [scope, client, n], sql.patchFields, patched),
    ...trials('swallowed', [scope, client], reachFields, reaches),
  ]
}
