import type { TableColumn } from '../sync/table.ts'
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
  real: (field) => (/^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(field) ? Number(field) + 0 : field),
  boolean: (field) => booleans.get(field.toLowerCase()) ?? field,
  timestamp: readTimestamp,
  uuid: (field) => field.toLowerCase(),
  json: readJson,
  bytes: (field) => field.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''),
}

/** As programs write them: Postgres a letter, spreadsheets in capitals. */
const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['true', 't', '1'].map((one) => [one, true] as const),
  ...['false', 'f', '0'].map((one) => [one, false] as const),
])

/** RFC 3339 in any zone. Digits beyond the milliseconds must be zeros, since they would be lost. */
function readTimestamp(field: string): unknown {
  const parts = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3}0*)?)?)(Z|[+-]\d\d:?\d\d|[+-]\d\d)$/i.exec(field)
  if (!parts) return field
  const [, day, time, zone = ''] = parts
  const offset = /^z$/i.test(zone) ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`
  const date = new Date(`${day}T${time}${offset}`)
  // A day that is none, such as the 31st of June, would become another one.
  const local = new Date(`${day}T${time}Z`)
  if (Number.isNaN(date.getTime()) || !local.toISOString().startsWith(String(day))) return field
  return date.toISOString()
}

function readJson(field: string): unknown {
  try {
    return JSON.parse(field)
  } catch {
    return undefined
  }
}
