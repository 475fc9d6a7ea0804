import { hexToBase64url } from '../sync/bytes.ts'
import type { ColumnType } from '../sync/value.ts'

/** One SQL statement. Parameters are text, numbers that are safe integers, or null. */
export interface Statement {
  readonly sql: string
  readonly params: readonly (string | number | null)[]
}

/** A named, typed column of a JSON parameter. */
export interface Field {
  readonly name: string
  readonly type: ColumnType
}

/** How a database spells what the stages need: a few pure functions, and nothing outside this folder asks for a name. */
export interface Dialect {
  readonly name: 'postgres' | 'sqlite'
  /** Parameter number 1, 2, 3 … */
  param(place: number): string
  /** Rows as the text of one JSON parameter, whatever their number. `undefined` and null both become NULL. */
  encodeRows(fields: readonly Field[], rows: readonly (readonly unknown[])[]): string
  /** The rows of such a parameter as an item of FROM, named `j`. */
  decodeRows(fields: readonly Field[], param: string): string
  /** ON CONFLICT (scope, id) …: the guard of last writer wins. The target is named `t`. */
  onConflict(columns: readonly string[]): string
  /** Whether RETURNING of the upsert gives the losers too; where not, a second statement reads them. */
  readonly returnsLosers: boolean
  /** A column as JSON text, byte for byte as `JSON.stringify` writes it once `resolveMarks` has run. Never NULL. */
  toJson(type: ColumnType, column: string): string
  concat(parts: readonly string[]): string
  /** Aggregate: the texts of `u.text`, in the order of `u.position`, between commas. */
  joinRows: string
  /** Bytes that a column of text, json or bytes holds, without reading them where the engine can. */
  size(type: ColumnType, column: string): string
  /** An expression that fails the statement, and so the batch, with the marker in its message. `salt` keeps planners from evaluating it early. */
  raise(marker: Marker, salt: string): string
}

/** Why a batch undid itself: what a statement raised on purpose. */
export const markers = ['driftline_resync', 'driftline_missing', 'driftline_probe'] as const
export type Marker = (typeof markers)[number]

/**
 * A value whose JSON no engine spells as JavaScript does travels between two tabs, behind `r` for a real in decimal
 * and `b` for bytes in hex, and gets its form here. A raw tab cannot stand in JSON text otherwise.
 */
export function resolveMarks(text: string): string {
  if (!text.includes('\t')) return text
  return text.replace(/\t([rb])([^\t]*)\t/g, (_, kind, body) =>
    kind === 'r' ? String(Number(body)) : `"${hexToBase64url(body)}"`,
  )
}

/** Calls with many arguments are nested: both engines bound their number at about 100. */
export function nestCalls(name: string, parts: readonly string[]): string {
  if (parts.length <= 50) return `${name}(${parts.join(', ')})`
  const groups: string[] = []
  for (let from = 0; from < parts.length; from += 50) groups.push(`${name}(${parts.slice(from, from + 50).join(', ')})`)
  return nestCalls(name, groups)
}
