import { base64urlToHex } from '../sync/bytes.ts'
import { textToJson } from '../sync/text.ts'
import type { ColumnType } from '../sync/value.ts'
import { type Dialect, quoted } from './dialect.ts'
import { pageRowsSql, readPageRows, rowJson, rowSql } from './postgres-rows.ts'

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

  // One text that grows: an object for each row, only to be turned into text, costs three times as much.
  encodeRows(fields, rows) {
    const keys = fields.map(({ name }) => `"${name}":`)
    let text = '['
    for (const row of rows) {
      text += text === '[' ? '{' : ',{'
      let separator = ''
      for (let place = 0; place < keys.length; place++) {
        const value = row[place]
        if (value === undefined || value === null) continue
        text += separator + keys[place]
        text += encode(value, fields[place]?.type)
        separator = ','
      }
      text += '}'
    }
    return `${text}]`
  },
  // One parameter whatever the number of rows. JSON, not jsonb: a json column keeps its text, and it is cheaper.
  decodeRows: (fields, param) =>
    `json_to_recordset(${param}::json) AS j(${fields.map(({ name, type }) => `${name} ${types[type]}`).join(', ')})`,

  // OFFSET 0 keeps the planner from joining the two in another way than row by row, by the key. Without fresh statistics
  // it would rather read the whole scope.
  encodeIds: (ids) => JSON.stringify(ids),
  fromIds: (table, scope, ids) => `FROM json_array_elements_text(${ids}::json) AS j(i$)
CROSS JOIN LATERAL (SELECT * FROM ${quoted(table.name)} WHERE scope = ${scope} AND id = j.i$ OFFSET 0) AS t WHERE true`,

  // The WHERE hides the losers from RETURNING. They are read by the next statement: within this one they would come
  // from the statement's old snapshot, an older row or none.
  onConflict: (columns) =>
    `ON CONFLICT (scope, id) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}
WHERE (t.updated_at, t.updated_by) < (excluded.updated_at, excluded.updated_by)`,
  returnsLosers: false,

  // The columns as they are: Postgres prints them faster than it makes JSON of them, and JavaScript makes it faster still.
  line: (expressions) => expressions.join(', '),
  splitLine: (row) => row,
  row: rowSql,
  readRow: rowJson,
  page: pageRowsSql,
  readPage: readPageRows,
  raise: (marker, salt) => `('${marker}' || ${salt})::integer`,
}

function encode(value: unknown, type: ColumnType | undefined): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (type === 'json') return JSON.stringify(value)
  return type === 'bytes' ? `"\\\\x${base64urlToHex(value as string)}"` : textToJson(value as string)
}
