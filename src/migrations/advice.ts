import type { ColumnType } from '../model/value.ts'
import { quoted } from '../sql/quoted.ts'
import { type DialectName, sqlTypes } from './ddl.ts'

/**
 * The SQL of a change that only a person can judge, as words that follow "write". SQLite cannot
 * alter a column: there the table is made anew.
 */
export function alterColumn(dialect: DialectName, table: string, column: string, change: string): string {
  return dialect === 'sqlite' ? anew(table) : `${alter(table)} ALTER COLUMN ${quoted(column)} ${change}`
}

export function alterType(dialect: DialectName, table: string, column: string, type: ColumnType): string {
  const to = sqlTypes.postgres[type]
  return alterColumn(dialect, table, column, `TYPE ${to} USING ${quoted(column)}::${to}`)
}

export function anew(table: string): string {
  const next = quoted(`${table}_new`)
  return `the table anew (CREATE TABLE ${next}, INSERT INTO ${next} SELECT from the old one, DROP TABLE ${quoted(table)}, ALTER TABLE ${next} RENAME TO ${quoted(table)}, CREATE INDEX)`
}

export const alter = (table: string) => `ALTER TABLE ${quoted(table)}`
