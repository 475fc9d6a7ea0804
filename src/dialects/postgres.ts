import { base64urlToHex } from '../sync/bytes.ts'
import { type Dialect, nestCalls } from './dialect.ts'

const types = {
  text: 'text',
  integer: 'bigint',
  real: 'double precision',
  boolean: 'boolean',
  json: 'json',
  timestamp: 'timestamptz',
  uuid: 'uuid',
  bytes: 'bytea',
} as const

export const postgres: Dialect = {
  name: 'postgres',
  param: (place) => `$${place}`,

  encodeRows(fields, rows) {
    const hasBytes = fields.some(({ type }) => type === 'bytes')
    return JSON.stringify(
      rows.map((row) => {
        const object: Record<string, unknown> = {}
        for (const [place, { name, type }] of fields.entries()) {
          const value = row[place]
          if (value === undefined || value === null) continue
          object[name] = hasBytes && type === 'bytes' ? `\\x${base64urlToHex(value as string)}` : value
        }
        return object
      }),
    )
  },
  // One parameter whatever the number of rows. JSON, not jsonb: a json column keeps its text, and it is cheaper.
  decodeRows: (fields, param) =>
    `json_to_recordset(${param}::json) AS j(${fields.map(({ name, type }) => `${name} ${types[type]}`).join(', ')})`,

  // The WHERE hides the losers from RETURNING. They are read by the next statement: within this one they would come
  // from the statement's old snapshot, an older row or none.
  onConflict: (columns) =>
    `ON CONFLICT (scope, id) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}
WHERE (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by)`,
  returnsLosers: false,

  toJson(type, column) {
    switch (type) {
      case 'text':
      case 'uuid':
      case 'boolean':
        return `coalesce(to_json(${column})::text, 'null')`
      case 'integer':
      case 'json':
        return `coalesce(${column}::text, 'null')`
      case 'real':
        // Within these bounds Postgres prints a double as JavaScript does: the same shortest digits, no exponent.
        return `CASE WHEN ${column} IS NULL THEN 'null' WHEN abs(${column}) >= 0.0001 AND abs(${column}) < 1e15 OR ${column} = 0 THEN ${column}::text ELSE concat('\tr', ${column}, '\t') END`
      case 'timestamp':
        return `coalesce('"' || to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"', 'null')`
      case 'bytes':
        return `coalesce('\tb' || encode(${column}, 'hex') || '\t', 'null')`
    }
  },
  concat: (parts) => nestCalls('concat', parts),
  joinRows: `string_agg(u.text, ',' ORDER BY u.position)`,
  size: (type, column) => (type === 'json' ? `octet_length(${column}::text)` : `octet_length(${column})`),
  raise: (marker, salt) => `('${marker}' || ${salt})::integer`,
}
