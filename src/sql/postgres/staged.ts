import { createHash } from 'node:crypto'
import { base64urlToHex } from '../../model/base64url.ts'
import { fillsTime } from '../../model/merge.ts'
import type { Table } from '../../model/table.ts'
import type { ColumnType } from '../../model/value.ts'
import { bulkFields, bulkSql, isStored } from '../bulk-sql.ts'
import { basePosition } from '../dialect.ts'
import { quoted } from '../quoted.ts'
import type { Field } from '../statement.ts'
import { postgres, postgresTypes } from './dialect.ts'
import { above, byKey, found, fromId } from './keys.ts'

/**
 * The statements of an import into Postgres by COPY into a temporary table, which is empty again
 * after the commit.
 */
export interface StagedSql {
  readonly fields: readonly Field[]
  readonly create: string
  readonly copy: string
  /**
   * [scope, n, …now] → nothing: the rows that are new, without the upsert's search for rivals,
   * which costs half as much again. A key that somebody who does not take the scope's lock inserts
   * meanwhile is refused, and there when it is tried anew.
   */
  readonly insert: string
  /**
   * [scope, n, …now, number of rows] → nothing: upserts those that were there before, if any were.
   */
  readonly merge: string
  /** [scope, n, number of rows] → as `tally` of the bulk. */
  readonly tally: string
}

export function stagedSql(table: Table): StagedSql {
  const target = quoted(table.name)
  const columns = bulkFields(table)
    .map(({ name, type }) => `${name} ${postgresTypes[type]}${type === 'text' ? ' COLLATE "C"' : ''}`)
    .join(', ')
  // A pooler may hand on a connection that knows the table as it was before a migration.
  const hash = createHash('sha256').update(`${table.name} ${columns}`).digest('hex')
  const staged = `driftline_staged_${hash.slice(0, 16)}`
  const stored = `(SELECT position FROM ${target} WHERE ${byKey('$1', 'sent$.id$')})`
  const base = basePosition('$1', '$2')
  const written = `(SELECT count(*) FROM ${target} WHERE ${above('$1', base)})`
  const beyond = `coalesce((SELECT id FROM ${target} WHERE ${fromId('$1', "''")} ORDER BY id DESC LIMIT 1), '') < (SELECT min(id$) FROM ${staged})`
  const { fields, insertWhere, onConflict } = bulkSql(postgres, table, () => `${staged} AS sent$`)
  return {
    fields,
    create: `CREATE TEMPORARY TABLE IF NOT EXISTS ${staged} (${columns}) ON COMMIT DELETE ROWS`,
    copy: `COPY ${staged} (${fields.map(({ name }) => name).join(', ')}) FROM STDIN`,
    // Beyond the last id of the scope nothing is looked for: so rows come that are sorted by it.
    insert: insertWhere(`CASE WHEN ${beyond} THEN true ELSE ${stored} IS NULL END`),
    merge: `${insertWhere(`${written} < $${fillsTime(table) ? 4 : 3} AND ${stored} <= scope$.base$`)}\n${onConflict}`,
    tally: `SELECT written$.count$, CASE WHEN written$.count$ < $3 THEN (SELECT count(*) FROM ${staged} AS sent$
${found(table, '$1', 'sent$.id$', 'CROSS JOIN')} WHERE ${isStored(postgres, table, base)}) END
FROM (SELECT ${written} AS count$) AS written$`,
  }
}

/** Rows as the text that COPY reads: a line each, tabs between the values. */
export function copyText(fields: readonly Field[], rows: readonly (readonly unknown[])[]): string {
  let text = ''
  for (const row of rows) {
    for (let place = 0; place < fields.length; place++) {
      if (place > 0) text += '\t'
      text += copyValue(row[place], (fields[place] as Field).type)
    }
    text += '\n'
  }
  return text
}

function copyValue(value: unknown, type: ColumnType): string {
  if (value === undefined || value === null) return '\\N'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (type === 'bytes') return `\\\\x${base64urlToHex(value as string)}`
  const text = type === 'json' ? JSON.stringify(value) : String(value)
  return /[\\\t\n\r]/.test(text) ? text.replaceAll(/[\\\t\n\r]/g, (one) => escapes[one] as string) : text
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }
