import { isObject } from '../../model/untrusted.ts'
import type { Exported } from './shape.ts'

/** A document of mongoexport: MongoDB Extended JSON, canonical or relaxed. `_id` is the id. */
export function readMongo(element: Record<string, unknown>): Exported {
  const { _id, ...rest } = element
  const row = toPlain(rest) as Record<string, unknown>
  return { row: _id === undefined ? row : { ...row, id: toPlain(_id) } }
}

/**
 * A value of Extended JSON as plain JSON. What has no such form, such as a regular expression,
 * stays as it is.
 */
function toPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toPlain)
  if (!isObject(value)) return value
  const names = Object.keys(value)
  const [name = ''] = names
  const read = names.length === 1 ? readers.get(name) : undefined
  if (read) return read(value[name]) ?? value
  if (names.length === 2 && '$binary' in value && '$type' in value) return toBase64url(value.$binary)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item)]))
}

/** Digits that are no safe integer stay text: what they become is the column's. */
function toInteger(digits: unknown): unknown {
  const number = Number(digits)
  return Number.isSafeInteger(number) ? number : digits
}

const readers: ReadonlyMap<string, (value: unknown) => unknown> = new Map(
  Object.entries({
    $oid: (value: unknown) => value,
    $uuid: (value: unknown) => value,
    $symbol: (value: unknown) => value,
    $numberInt: toInteger,
    $numberLong: toInteger,
    $numberDouble: (value: unknown) =>
      typeof value === 'string' && Number.isFinite(Number(value)) ? Number(value) : value,
    $numberDecimal: (value: unknown) => value,
    $date: toTime,
    $binary: (value: unknown) => (isObject(value) ? fromBinary(value) : toBase64url(value)),
  }),
)

function fromBinary({ base64, subType }: Record<string, unknown>): unknown {
  if (typeof base64 !== 'string') return undefined
  const bytes = Buffer.from(base64, 'base64')
  const isUuid = (subType === '04' || subType === '4') && bytes.length === 16
  return isUuid ? bytes.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') : toBase64url(base64)
}

const toBase64url = (text: unknown) =>
  typeof text === 'string' ? Buffer.from(text, 'base64').toString('base64url') : undefined

/** Text in the relaxed form, milliseconds in the canonical one and in that of old versions. */
function toTime(value: unknown): unknown {
  const ms = isObject(value) ? Number(value.$numberLong) : value
  if (typeof ms !== 'number') return value
  const time = new Date(ms)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}
