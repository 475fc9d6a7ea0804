import type { AppTable } from '../../model/adopted.ts'
import type { Table, TableColumn } from '../../model/table.ts'
import { quoted } from '../quoted.ts'

/** How a database spells what is asked of a table that is adopted. */
export interface AdoptedSpelling {
  /** The side rows of a table. */
  side(table: Table): string
  /** The app's table. */
  app(adopted: AppTable): string
  /** An id as a value that the key can be compared with. */
  key(adopted: AppTable, id: string): string
  /** The key, and the scope, of a row of that name as text. */
  id(adopted: AppTable, row: string): string
  scope(adopted: AppTable, row: string): string
  /** A column of a row of that name as the schema's type is printed. */
  read(column: TableColumn, row: string): string
  /** A value of the schema's type as one of a column of the app. */
  write(adopted: AppTable, column: string, value: string, type: TableColumn['type']): string
  /** The time at which a row is deleted that stays. */
  readonly now: string
}

/** The name that a column has in the app's table. */
export const sourceOf = ({ name, source = name }: TableColumn): string => source

/** The columns that a change can write. */
export const writable = ({ columns }: Table): readonly TableColumn[] => columns.filter(({ readonly }) => !readonly)

/** A row is not synced that the app has deleted and kept. */
export const isAlive = ({ softDelete }: AppTable, row: string): string =>
  softDelete === undefined ? '' : ` AND ${row}.${quoted(softDelete)} IS NULL`

/** The columns that say the scope, where the server sets them. */
export const scopeColumn = ({ scope }: AppTable): string | undefined => ('column' in scope ? scope.column : undefined)

/** The app's row as the schema has its columns, and its key as key$. */
export function appColumns(table: Table, adopted: AppTable, { read }: AdoptedSpelling, row: string): string {
  const columns = table.columns.map((column) => `${read(column, row)} AS ${quoted(column.name)}`)
  return [`${row}.${quoted(adopted.key)} AS key$`, ...columns].join(', ')
}
