import type { Schema, Table } from '../model/table.ts'
import { copyText, type StagedSql, stagedSql } from '../sql/postgres/staged.ts'
import { type RowTransport, tallyOf, transportInParams } from '../sync/push/plan-bulk.ts'
import type { Planned } from '../sync/push/planned.ts'

/**
 * Rows through COPY into a temporary table, from which one statement inserts what is new and one
 * merges what is not: for a Postgres over TCP.
 */
export function transportByCopy(schema: Schema): RowTransport {
  const statements = new Map<Table, StagedSql>(schema.tables.map((table) => [table, stagedSql(table)]))
  return (sql, table, options, parts) => {
    const [rows = []] = parts
    // A temporary table takes one part only. More of them are rare, and come after a refusal.
    if (parts.length > 1) return transportInParams(sql, table, options, parts)
    const staged = statements.get(table)
    if (!staged) throw new TypeError(`The table ${table.name} is not of this schema`)
    const { scope, n, time } = options
    const { fields, create, copy, insert, merge, tally } = staged
    const guard = (text: string, params: Planned['params'] = []): Planned => ({
      sql: text,
      params,
      role: { kind: 'guard' },
    })
    return {
      before: [guard(create), { ...guard(copy), copied: copyText(fields, rows) }],
      writes: [[guard(insert, [scope, n, ...time]), guard(merge, [scope, n, ...time, rows.length])]],
      tally: [{ sql: tally, params: [scope, n, rows.length], reads: true, role: tallyOf(table, rows.length) }],
    }
  }
}
