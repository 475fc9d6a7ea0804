import { base64urlToHex } from '../../model/base64url.ts'
import type { ColumnType } from '../../model/value.ts'
import { addedSince, isAdd, raisedAdd } from '../adds.ts'
import type { Dialect } from '../dialect.ts'
import { quoted } from '../quoted.ts'
import { foreignKeysOf, readForeignKeys, readUniqueNames } from './foreign-keys.ts'
import { above, aliveAbove, byKey, found, fromIds, fromScopes, joinApp, target } from './keys.ts'
import { countPagesText, encodeAsked, pagesText, readPagesText } from './pages.ts'
import { references } from './references.ts'
import { changeText, octets, pageText, readPageText, resolveMarks } from './rows.ts'

const guard = '(stored$.updated_at, stored$.updated_by) < (excluded.updated_at, excluded.updated_by)'

const atDigits = String(Number.MAX_SAFE_INTEGER).length

const spelling: Omit<Dialect, 'page' | 'readPage' | 'together'> = {
  name: 'sqlite',
  target,
  joinApp,
  param: (place) => `?${place}`,

  encodesByField: false,
  // One JSON text. Numbered parameters by the thousand are eight times slower.
  encodeRows(fields, rows) {
    const encoders = fields.flatMap(({ type }, place) => {
      const encode = encoderOf[type]
      return encode ? [[place, encode] as const] : []
    })
    const lines = rows.map((row) => {
      let values: unknown[] | undefined
      for (const [place, encode] of encoders) {
        const value = row[place]
        if (value === undefined || value === null) continue
        values ??= [...row]
        values[place] = encode(value)
      }
      return values ?? row
    })
    // What is undefined becomes null.
    return [JSON.stringify(lines)]
  },
  // A path that is spelled out is a quarter cheaper than a number, of which SQLite makes a path for
  // each value. LIMIT -1 takes all rows, and keeps the planner from flattening this. Without the
  // inner one json_each would write a row's text anew for each of its columns, at twice the cost;
  // without the outer one an UPDATE would go through the whole scope and search the parameter for
  // each of its rows.
  decodeRows(fields, first) {
    const columns = fields.map(({ name, type }, place) => `${decode(type, `value$ ->> '$[${place}]'`)} AS ${name}`)
    return `(SELECT ${columns.join(', ')} FROM (SELECT value AS value$ FROM json_each(?${first}) LIMIT -1) LIMIT -1) AS sent$`
  },

  // An object from ids to stamps, a text each: arrays would be written out and read again for each
  // of their values, at twice the cost. No `at` has more digits.
  encodeStamps: (stamps, client) => [
    `{${stamps.map(({ id, at, by = client }) => `${JSON.stringify(id)}:"${String(at).padStart(atDigits, '0')}${by}"`).join(',')}}`,
  ],
  decodeStamps: (first) =>
    `(SELECT key AS id$, CAST(substr(value, 1, ${atDigits}) AS integer) AS at$, substr(value, ${atDigits + 1}) AS by$ FROM json_each(?${first}) LIMIT -1) AS sent$`,

  encodeIds: (ids) => JSON.stringify(ids),
  fromIds,
  fromScopes,
  found,
  byKey,
  above,
  aliveAbove,
  octets,
  hasKey: (row, scope, values) =>
    [`${row}.scope = ${scope}`, ...values.map(([column, value]) => `${row}.${column} = ${value}`)].join(' AND '),
  anyHolder: ({ name }, condition) => `EXISTS (SELECT 1 FROM ${quoted(name)} AS holder$ WHERE ${condition})`,
  eachHolder: ({ name }, condition) => `CROSS JOIN ${quoted(name)} AS holder$ ON ${condition}`,
  isAmong: (id, ids) => `${id} IN (SELECT value FROM json_each(${ids}))`,
  stampText: (at, by) => `(printf('%016d', ${at}) || ${by})`,
  time: (place, { rules }) => (rules.digits === 6 ? place : `substr(${place}, 1, 23) || 'Z'`),
  foundAdd: (table, scope, client, join) =>
    `${join} driftline_adds AS known$ ON ${isAdd(table, scope, client, 'known$')}`,
  addedSince,
  raisedAdd,

  // SQLite takes a WHERE here since 3.24, contrary to a common belief. It would hide the losers
  // from RETURNING; CASE keeps them as they are and still returns them, so that one statement
  // answers every change.
  onConflict: (columns) =>
    `ON CONFLICT (scope, id) DO UPDATE SET
${columns.map(([column, value]) => `${column} = CASE WHEN ${guard} THEN ${value} ELSE stored$.${column} END`).join(',\n')}`,
  onMeeting: ({ assigned, applies }) =>
    `ON CONFLICT (scope, id) DO UPDATE SET
position = CASE WHEN ${applies} THEN excluded.position ELSE stored$.position END,
${assigned.map(([column, value]) => `${column} = ${value}`).join(',\n')}`,
  returnsLosers: true,

  // One text a row: what is returned costs more than the guard. A line break stands in no id and in
  // no JSON text.
  line: (expressions) => `concat(${expressions.join(", '\n', ")})`,
  splitLine: ([line]) => String(line).split('\n'),
  row: (table) => [changeText(table)],
  readRow: (_table, _scope, cells, from) => resolveMarks(String(cells[from])),
  references,
  rehearsedKeys: { statements: [readForeignKeys, readUniqueNames], keysOf: foreignKeysOf },
  raise: (marker, salt) => `json_extract('{}', '${marker}' || ${salt})`,
}

/** A call, which a bundler may leave out: a worker then holds the pages of its SQLite alone. */
export const sqliteWith = (pages: Pick<Dialect, 'page' | 'readPage' | 'together'>): Dialect => ({
  ...spelling,
  ...pages,
})

export const sqlite: Dialect = /* @__PURE__ */ sqliteWith({
  page: pageText,
  readPage: readPageText,
  together: { encodeAsked, pages: pagesText, readPages: readPagesText, countPages: countPagesText },
})

const encoderOf: { readonly [type in ColumnType]?: (value: unknown) => unknown } = {
  json: (value) => JSON.stringify(value),
  bytes: (value) => base64urlToHex(value as string),
  real: (value) => realToText(value as number),
}

/**
 * SQLite reads decimals with 64 bits of precision and rounds twice, which misses the nearest double
 * about once in 10,000. Digits of the double itself, to twenty places, lie in the middle of what
 * rounds to it and are always hit. Two decimals, as amounts have them, lie far enough from every
 * midpoint between doubles to be hit as they are.
 */
function realToText(value: number): number | string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value
  const text = String(value)
  if (Math.abs(value) === Number.MAX_VALUE) return text
  return text.length <= 17 && text.indexOf('.') >= text.length - 3 && !text.includes('e') ? text : value.toPrecision(20)
}

function decode(type: ColumnType, value: string): string {
  if (type === 'bytes') return `unhex(${value})`
  return type === 'real' ? `CAST(${value} AS REAL)` : value
}
