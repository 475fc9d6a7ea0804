import { copyText, type StagedSql, stagedSql } from '../dialects/staged-sql.ts'
import type { Planned } from '../sync/compile.ts'
import { type Carry, tallyOf } from '../sync/compile-bulk.ts'
import type { Schema, Table } from '../sync/table.ts'

/** Rows through COPY into a temporary table, from which one statement inserts what is new and one merges what is not: for a Postgres over TCP. */
export function carryByCopy(schema: Schema): Carry {
  const statements = new Map<Table, StagedSql>(schema.tables.map((table) => [table, stagedSql(table)]))
  return (_sql, table, scope, n, rows) => {
    const staged = statements.get(table)
    if (!staged) throw new TypeError(`The table ${table.name} is not of this schema`)
    const { fields, create, copy, insert, merge, tally } = staged
    const guard = (sql: string, params: Planned['params'] = []): Planned => ({ sql, params, role: { kind: 'guard' } })
    return {
      before: [guard(create), { ...guard(copy), copied: copyText(fields, rows) }],
      after: [
        guard(insert, [scope, n]),
        guard(merge, [scope, n, rows.length]),
        { sql: tally, params: [scope, n, rows.length], role: tallyOf(table, rows.length) },
      ],
    }
  }
}
