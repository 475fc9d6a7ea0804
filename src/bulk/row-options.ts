import type { Table } from '../model/table.ts'
import { quote } from '../model/untrusted.ts'
import type { FieldRules } from './csv/value.ts'

/** How the rows of a file become rows of a table. */
export interface RowOptions {
  readonly table: Table
  /** The stamp of all rows; `atHeader` names the header of those that have one each. */
  readonly at: number | undefined
  readonly atHeader?: string | undefined
  /** The header of the scope of each row, where it is not one for all. */
  readonly scopeHeader?: string | undefined
  /**
   * Headers by the column, or `id`, that they stand for. A header that is the column's own name
   * needs none.
   */
  readonly headers: ReadonlyMap<string, string>
  /** Headers that are passed over, or all that stand for nothing. */
  readonly ignore: readonly string[] | 'others'
  /** How values are written, where that is not as usual. */
  readonly rules?: FieldRules | undefined
}

/** Throws a `TypeError` where a header is said to stand for a column that there is not. */
export function checkMap({ table, headers }: Pick<RowOptions, 'table' | 'headers'>): void {
  const known = ['id', ...table.columns.map(({ name }) => name)]
  const wrong = [...headers.keys()].find((name) => !known.includes(name))
  if (wrong !== undefined) {
    throw new TypeError(`--map ${wrong}=…: ${table.name} has no column ${quote(wrong)}. It has ${known.join(', ')}.`)
  }
}

/**
 * The header that stands for a column or `id`: none, where it stands for another or is passed over.
 */
export function headerFinder({ headers, ignore }: Pick<RowOptions, 'headers' | 'ignore'>) {
  const mapped = new Set(headers.values())
  const ignored = ignore === 'others' ? [] : ignore
  return (name: string): string | undefined =>
    headers.get(name) ?? (mapped.has(name) || ignored.includes(name) ? undefined : name)
}
