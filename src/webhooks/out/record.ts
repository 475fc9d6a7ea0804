import type { Schema, Table } from '../../model/table.ts'
import { settleSql } from '../../sql/adopted/engine.ts'
import { recordSql } from '../../sql/delivery-sql.ts'
import type { Dialect } from '../../sql/dialect.ts'
import type { Recorder, Recording } from '../../sync/push/planned.ts'
import { type Endpoint, scopeMatcher } from './endpoints.ts'

const nothing: readonly Recording[] = []

/**
 * A statement for each endpoint that wants to know of the scope. Throws a `TypeError` where one
 * names an unknown table.
 */
export function createRecorder(dialect: Dialect, schema: Schema, endpoints: readonly Endpoint[] = []): Recorder {
  if (endpoints.length === 0) return () => nothing
  const moved = settleSql(dialect, schema)?.moved
  const recorded = endpoints.map((endpoint) => ({
    endpoint,
    matches: scopeMatcher(endpoint),
    sql: recordSql(dialect, tablesOf(schema, endpoint)),
    settled: moved && recordSql(dialect, tablesOf(schema, endpoint), moved),
  }))
  return (scope, at) =>
    recorded
      .filter(({ matches }) => matches(scope))
      .map(({ endpoint, sql, settled }): Recording => {
        const write = (text: string) => ({
          sql: text,
          records: true as const,
          params: [endpoint.name, `msg_${crypto.randomUUID()}`, at],
        })
        return { ...write(sql), ...(settled !== undefined && { settled: write(settled) }) }
      })
}

export function tablesOf(schema: Schema, { name: endpoint, tables }: Endpoint): readonly Table[] {
  if (!tables) return schema.tables
  return tables.map((name) => {
    const table = schema.tablesByName.get(name)
    if (!table) throw new TypeError(`The endpoint ${endpoint} is for the table ${name}, which the schema does not have`)
    return table
  })
}
