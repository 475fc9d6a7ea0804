import { toDecimal } from '../sync/decimal.ts'
import { InexactNumber, isExact, parseExact } from '../sync/exact.ts'
import type { TableColumn } from '../sync/table.ts'
import { formatTime, parsePrintedTime } from '../sync/time.ts'
import type { ColumnType } from '../sync/value.ts'

/**
 * A field of a CSV file as a value of its column. What does not fit stays text, or nothing where text would: the decoder
 * of changes rejects it, as it does any other change.
 */
export function fieldToValue(field: string, { type, nullable, default: fallback }: TableColumn): unknown {
  if (field === '') return nullable ? null : (fallback ?? (type === 'text' ? '' : undefined))
  return readers[type](field)
}

const readers: Readonly<Record<ColumnType, (field: string) => unknown>> = {
  text: (field) => field,
  // Minus nought is nought.
  integer: (field) => (/^-?\d+$/.test(field) ? Number(field) + 0 : field),
  real: readReal,
  decimal: toDecimal,
  boolean: (field) => booleans.get(field.toLowerCase()) ?? field,
  timestamp: readTimestamp,
  uuid: (field) => field.toLowerCase(),
  json: readJson,
  bytes: (field) => field.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''),
}

/** Of a number that a double would round the digits are kept, for the decoder to reject. */
function readReal(field: string): unknown {
  if (!/^-?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(field)) return field
  return isExact(field) ? Number(field) + 0 : new InexactNumber(field)
}

/** As programs write them: Postgres a letter, spreadsheets in capitals. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['true', 't', '1'].map((one) => [one, true] as const),
  ...['false', 'f', '0'].map((one) => [one, false] as const),
])

/** A time in any zone, as RFC 3339 has it. The decoder says what is wrong with the digits, or with its day. */
function readTimestamp(field: string): unknown {
  const time = parsePrintedTime(field)
  if (typeof time !== 'string') return formatTime(time, Math.max(time.fraction.length, 3))
  return time === 'day' ? `${field.slice(0, 10)}T00:00:00Z` : field
}

function readJson(field: string): unknown {
  try {
    return parseExact(field)
  } catch {
    return undefined
  }
}
