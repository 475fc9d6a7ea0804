import { toDecimal } from './decimal.ts'
import type { Rejection } from './errors.ts'
import { isInexact } from './exact.ts'
import type { Op } from './stamp.ts'
import type { Table, TableColumn } from './table.ts'
import { formatTime, parseTime } from './time.ts'
import { isObject, quote, reject } from './untrusted.ts'

/** From where rows come, which other systems may spell in another way. */
export interface RowContext {
  /** Whether a change may come without a stamp: a webhook's, which is then the newest. */
  readonly stampless?: boolean
  /**
   * Whether a change may say who wrote it, and have a position, which is passed over: as changes
   * are pulled.
   */
  readonly pulled?: boolean
  /** Whether digits of a time that its column does not keep are cut, where that was asked for. */
  readonly cutDigits?: boolean | undefined
}

export type DecodedRow =
  /** A value for each column of the table, see `Change`. */
  | { readonly values: readonly unknown[]; readonly respelled?: true; readonly error?: never }
  | { readonly error: Rejection }

/** Decodes the row of a change, under the names and in the spellings that the app has for it. */
export function decodeRow(table: Table, op: Op, input: Record<string, unknown>, context: RowContext): DecodedRow {
  if (op === 'delete') {
    if ('row' in input) return reject('invalid_change', 'A delete has no "row".')
    // A server that does not know a new column yet may revive the row, which then needs a default.
    return {
      values: table.columns.map(({ since, default: preset }) => (since === undefined ? null : (preset ?? null))),
    }
  }
  if (!isObject(input.row)) return reject('invalid_change', `A ${op} needs "row", an object.`)
  const names = Object.keys(input.row)
  if (op === 'patch' && names.length === 0)
    return reject('invalid_change', 'A patch needs at least one column in "row".')
  const row = names.every((name) => table.places.has(name)) ? input.row : withNamesOfToday(table, input.row)
  if (typeof row === 'string')
    return reject('unknown_column', `The table ${table.wire} has no column ${quote(row)}.`, anotherVersion)
  const values: unknown[] = []
  let respelled = false
  for (const column of table.columns) {
    const { wire: name, nullable, default: fallback, check, canonical, hidden, kept, readonly, merge } = column
    const filled = column.filled ?? readonly
    if (filled && !hidden && Object.hasOwn(row, name) && !context.pulled)
      return reject('invalid_value', `${table.wire}.${name} is filled by the server: leave it out.`)
    if (hidden || filled || !Object.hasOwn(row, name)) {
      if (op === 'patch') values.push(undefined)
      else if (filled) values.push(null)
      else if (fallback !== undefined) values.push(fallback)
      else if (nullable) values.push(null)
      else {
        const detail = `A put into ${table.wire} needs the column ${name}.`
        return reject('missing_column', detail, kept && anotherVersion)
      }
      continue
    }
    const value = takeValue(column, row[name], context)
    if (value === null) {
      if (!nullable) return reject('invalid_value', `${table.wire}.${name} must not be null.`)
      values.push(null)
      continue
    }
    const fault = merge === 'counter' ? counterFault(value, op, check) : check(value)
    if (fault) return reject('invalid_value', `${table.wire}.${name} must be ${fault}.`)
    const stored = canonical ? canonical(value) : value
    if (stored !== value) respelled = true
    values.push(stored)
  }
  return respelled ? { values, respelled } : { values }
}

/** What is wrong with what is sent for a counter, in words that follow "must be". */
function counterFault(value: unknown, op: Op, check: TableColumn['check']): string | undefined {
  const edits = '{"add": …} or {"set": …}'
  if (!isObject(value)) {
    if (op === 'patch')
      return typeof value === 'number' ? `${edits}: a bare number would undo what others have added` : edits
    const fault = check(value)
    return fault && `${fault}, which a new row begins with, or ${edits}`
  }
  const [name, ...rest] = Object.keys(value)
  if ((name !== 'add' && name !== 'set') || rest.length > 0) return `${edits} and nothing else`
  const fault = check(value[name])
  return fault && `{"${name}": …} with ${fault}`
}

/** Keep the change: a later version of the server may know what it is about. */
export const anotherVersion = 'with_another_version'

/**
 * The row under the names that its columns have now, without those that are retired; or the name of
 * a column that there never was.
 */
function withNamesOfToday(table: Table, row: Record<string, unknown>): Record<string, unknown> | string {
  const named: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(row)) {
    const now = table.aliases.get(name)
    if (table.places.has(name)) named[name] = value
    // Whoever sends both names means the new one.
    else if (now !== undefined) named[now] = Object.hasOwn(row, now) ? row[now] : value
    else if (!table.retired.has(name)) return name
  }
  return named
}

/**
 * Other systems, whose changes come by webhooks and imports, write decimals as numbers, and times
 * with more digits.
 */
function takeValue({ type, rules }: TableColumn, value: unknown, context: RowContext): unknown {
  const isFromElsewhere = context.stampless || context.pulled
  if (type === 'decimal' && isFromElsewhere && (typeof value === 'number' || isInexact(value)))
    return toDecimal(String(value))
  if (type !== 'timestamp' || !context.cutDigits || typeof value !== 'string') return value
  const time = parseTime(value)
  return typeof time === 'string' ? value : formatTime(time, rules.digits ?? 3)
}
