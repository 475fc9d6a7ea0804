import type { Sql } from '../sync/push/plan.ts'
import type { StoreLimits } from './statement.ts'

const encoder = new TextEncoder()
const bytesOf = (text: string) => encoder.encode(text).length

/** Rows as the parameters of as many statements as needed, none above so many bytes but where a single row is. */
export function encodeParts<Row>(
  rows: readonly Row[],
  encode: (rows: readonly Row[]) => readonly string[],
  bytesMax = Number.POSITIVE_INFINITY,
): (readonly string[])[] {
  const texts = encode(rows)
  const fits = (text: string) => text.length * 3 <= bytesMax || bytesOf(text) <= bytesMax
  // Three bytes at the most for each unit of text: ordinary change sets are not measured.
  if (rows.length === 1 || texts.every(fits)) return [texts]
  const half = rows.length >> 1
  return [...encodeParts(rows.slice(0, half), encode, bytesMax), ...encodeParts(rows.slice(half), encode, bytesMax)]
}

/** Throws a `TypeError` with a sentence where the schema is too large for a store, before any row could meet it. */
export function checkFit({ tables, scope }: Sql, { sqlBytesMax, resultColumnsMax }: StoreLimits): void {
  const columnsMax = (resultColumnsMax - 3) >> 1
  for (const { table } of tables) {
    if (table.columns.length > columnsMax) {
      throw new TypeError(
        `The table ${table.name} has ${table.columns.length} columns, and this database takes ${columnsMax}: split it`,
      )
    }
  }
  const statements = [
    ['a page', [...Object.values(scope), tables.map(({ weight }) => weight(3)).join(' + ')]],
    ...tables.map(({ table, rowFields: _, patchFields: __, weight: ___, bulk, ...sql }) => [
      `the table ${table.name}`,
      [...Object.values(sql), bulk.upsert, bulk.tally, bulk.peek],
    ]),
  ] as [string, string[]][]
  for (const [what, texts] of statements) {
    const bytes = Math.max(...texts.map(bytesOf))
    if (bytes > sqlBytesMax) {
      throw new TypeError(
        `The SQL of ${what} has ${bytes} bytes, and this database takes ${sqlBytesMax}: have fewer tables or columns`,
      )
    }
  }
}
