import { base64urlToHex } from '../../model/base64url.ts'
import type { ColumnType } from '../../model/value.ts'
import { addedSince, isAdd, raisedAdd } from '../adds.ts'
import { onConflictWhere, onMeetingWhere } from '../bulk-sql.ts'
import type { Dialect } from '../dialect.ts'
import { quoted } from '../quoted.ts'
import type { Field } from '../statement.ts'
import { above, aliveAbove, byKey, found, fromIds, fromScopes, hasKey, joinApp, target } from './keys.ts'
import { askedFields, askedRow, countPagesSql, pagesSql, readPagesCells } from './pages.ts'
import { references } from './references.ts'
import { blockParam, rehearseByBlock } from './rehearse.ts'
import { octets, pageRowsSql, readPageRows, rowJson, rowSql } from './rows.ts'

/** What a column of each type is in Postgres. */
export const postgresTypes = {
  text: 'text',
  integer: 'bigint',
  real: 'double precision',
  decimal: 'numeric',
  boolean: 'boolean',
  json: 'json',
  timestamp: 'timestamptz',
  uuid: 'uuid',
  bytes: 'bytea',
} as const

const stampFields: readonly Field[] = [
  { name: 'id$', type: 'text' },
  { name: 'at$', type: 'integer' },
  { name: 'by$', type: 'text' },
]

/** Postgres, with its parameters spelled so. */
const postgresWithParams = (param: Dialect['param']): Dialect => ({
  name: 'postgres',
  target,
  joinApp,
  param,

  encodesByField: true,
  // An array for each column, as the text of a literal: Postgres reads it in half the time of JSON,
  // whose names it would look up for each row. One text that grows: a text for each value, joined
  // in the end, costs three times as much.
  encodeRows: encodeColumns,
  // The arrays stand in subqueries, so that the planner does not know their length: it would read a
  // whole scope where it has no fresh statistics, instead of looking each row up by its key. In the
  // select list they are read side by side; as a function of FROM each would be stored first, which
  // takes a sixth of the upsert.
  decodeRows: (fields, first) => decodeArrays(fields, first, param),

  encodeStamps: (stamps, client) => [
    arrayText(stamps, 'text', ({ id }) => id),
    arrayText(stamps, 'integer', ({ at }) => at),
    arrayText(stamps, 'text', ({ by = client }) => by),
  ],
  decodeStamps: (first) => decodeArrays(stampFields, first, param),

  encodeIds: (ids) => arrayText(ids, 'text', (id) => id),
  fromIds,
  fromScopes,
  found,
  byKey,
  above,
  aliveAbove,
  octets,
  hasKey,
  // OFFSET 0 keeps each a search by the index.
  anyHolder: ({ name }, condition) => `EXISTS (SELECT 1 FROM ${quoted(name)} AS holder$ WHERE ${condition} OFFSET 0)`,
  eachHolder: ({ name }, condition) =>
    `CROSS JOIN LATERAL (SELECT * FROM ${quoted(name)} AS holder$ WHERE ${condition} OFFSET 0) AS holder$`,
  isAmong: (id, ids) => `${id} = ANY ((SELECT ${ids}::text[])::text[])`,
  stampText: (at, by) => `(lpad((${at})::text, 16, '0') || ${by})`,
  time: (place) => `${place}::timestamptz`,
  // OFFSET 0 keeps it a search by the key, row by row, whatever the statistics say.
  foundAdd: (table, scope, client, join) =>
    `${join} LATERAL (SELECT position FROM driftline_adds WHERE ${isAdd(table, scope, client, 'driftline_adds')} OFFSET 0) AS known$${join === 'LEFT JOIN' ? ' ON true' : ''}`,
  addedSince,
  raisedAdd,

  // The WHERE hides the losers from RETURNING. They are read by the next statement: within this one
  // they would come from the statement's old snapshot, an older row or none.
  onConflict: onConflictWhere,
  onMeeting: onMeetingWhere,
  returnsLosers: false,

  // The columns as they are: Postgres prints them faster than it makes JSON of them, and JavaScript
  // makes it faster still.
  line: (expressions) => expressions.join(', '),
  splitLine: (row) => row,
  row: rowSql,
  readRow: rowJson,
  page: pageRowsSql,
  readPage: readPageRows,
  together: {
    encodeAsked: (asked) => encodeColumns(askedFields, asked.map(askedRow)),
    pages: (schema, bound) =>
      pagesSql(schema, bound, decodeArrays(askedFields, 1, param), param(askedFields.length + 1)),
    readPages: readPagesCells,
    countPages: (schema, bound) => countPagesSql(schema, bound, decodeArrays(askedFields, 1, param)),
  },
  references,
  raise: (marker, salt) => `('${marker}' || ${salt})::integer`,
})

export const postgres: Dialect = {
  ...postgresWithParams((place) => `$${place}`),
  rehearseBatch: rehearseByBlock(postgresWithParams(blockParam)),
}

function encodeColumns(fields: readonly Field[], rows: readonly (readonly unknown[])[]): readonly string[] {
  return fields.map(({ type }, place) => arrayText(rows, type, (row) => row[place]))
}

function decodeArrays(fields: readonly Field[], first: number, param: Dialect['param']): string {
  const columns = fields.map(
    ({ name, type }, place) => `unnest((SELECT ${param(first + place)}::${postgresTypes[type]}[])) AS ${name}`,
  )
  return `(SELECT ${columns.join(', ')}) AS sent$`
}

function arrayText<Item>(items: readonly Item[], type: ColumnType, read: (item: Item) => unknown): string {
  let text = '{'
  for (const item of items) {
    if (text !== '{') text += ','
    text += element(read(item), type)
  }
  return `${text}}`
}

/** A value as it stands in the literal of an array. */
function element(value: unknown, type: ColumnType): string {
  if (value === undefined || value === null) return 'NULL'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text =
    type === 'json' ? JSON.stringify(value) : type === 'bytes' ? `\\x${base64urlToHex(value as string)}` : String(value)
  return /["\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, '\\$&')}"` : `"${text}"`
}
