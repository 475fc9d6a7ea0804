import { type DecimalRules, decimalFault } from './decimal.ts'
import { isInexact } from './exact.ts'
import { limits } from './limits.ts'
import { isStorable, lengthUpTo } from './text.ts'
import { formatTime, parseTime, type SecondDigits } from './time.ts'

/** The nine column types. What each holds in Postgres and in SQLite stands in the dialects. */
export type ColumnType = 'text' | 'integer' | 'real' | 'decimal' | 'boolean' | 'json' | 'timestamp' | 'uuid' | 'bytes'

/** Types whose values can be so long that pages and answers count them. */
export const isLong = (type: ColumnType): boolean =>
  type === 'text' || type === 'json' || type === 'bytes' || type === 'decimal'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/**
 * What narrows a type: `maxLength` and `oneOf` a text, `precision` and `scale` a decimal, `digits`
 * a timestamp.
 */
export interface ValueRules extends DecimalRules {
  readonly maxLength?: number | undefined
  readonly oneOf?: readonly string[] | undefined
  readonly digits?: SecondDigits | undefined
}

/**
 * Says what is wrong with a value in words that follow "must be", or nothing. Never repeats the
 * value.
 */
export type ValueCheck = (value: unknown) => string | undefined

/**
 * The check of a column type. There is no coercion: what passes comes back from both dialects
 * exactly as it was sent (a time in its one spelling, see `canonicalValue`), and what would not is
 * refused here, before a database sees it.
 */
export function valueCheck(type: ColumnType, rules: ValueRules = {}): ValueCheck {
  switch (type) {
    case 'text':
      return textCheck(rules)
    case 'integer':
      return (value) => (Number.isSafeInteger(value) ? undefined : 'an integer between -(2^53 - 1) and 2^53 - 1')
    case 'real':
      return (value) => (isInexact(value) ? unheld : Number.isFinite(value) ? undefined : 'a finite number')
    case 'decimal':
      return (value) => decimalFault(value, rules)
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? undefined : 'true or false')
    case 'json':
      return (value) => jsonFault(value, 0)
    case 'timestamp':
      return (value) => timestampFault(value, rules.digits ?? 3)
    case 'uuid':
      return (value) => (typeof value === 'string' && uuidPattern.test(value) ? undefined : 'a UUID in lower case')
    case 'bytes':
      return (value) => (isBase64url(value) ? undefined : 'base64url without padding')
  }
}

/**
 * A value that passed the check, in the spelling that is stored and comes back. Only times have
 * others: the same instant in another zone, case or number of digits.
 */
export function canonicalValue(type: ColumnType, { digits = 3 }: ValueRules, value: unknown): unknown {
  if (type !== 'timestamp' || typeof value !== 'string' || isCanonicalTime(value, digits)) return value
  const time = parseTime(value)
  return typeof time === 'string' ? value : formatTime(time, digits)
}

const unheld = 'a number that a double holds: this one would be rounded. A column of type decimal keeps every digit'

function textCheck({ maxLength, oneOf }: ValueRules): ValueCheck {
  const allowed = oneOf && new Set<unknown>(oneOf)
  return (value) => {
    if (typeof value !== 'string') return 'text'
    if (!isStorable(value)) return 'text without NUL and lone surrogates'
    if (allowed && !allowed.has(value)) return `one of ${oneOf?.map((one) => JSON.stringify(one)).join(', ')}`
    if (maxLength !== undefined && lengthUpTo(value, maxLength) > maxLength)
      return `at most ${maxLength} characters long`
    return undefined
  }
}

/**
 * A number beyond 2^53 that has no fraction was very likely rounded when it was parsed: it would
 * not come back as sent.
 */
function jsonFault(value: unknown, depth: number): string | undefined {
  if (value === null || typeof value === 'boolean') return undefined
  if (typeof value === 'string')
    return isStorable(value) ? undefined : 'JSON whose text has no NUL and no lone surrogates'
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return 'JSON whose numbers are finite'
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? 'JSON whose integers are below 2^53' : undefined
  }
  if (typeof value !== 'object') return 'a JSON value'
  if (isInexact(value)) return 'JSON whose numbers a double holds: one of these would be rounded. Send it as text'
  if (depth === limits.jsonDepthMax) return `JSON nested at most ${limits.jsonDepthMax} levels deep`
  for (const [key, item] of Object.entries(value)) {
    if (!isStorable(key)) return 'JSON whose text has no NUL and no lone surrogates'
    const fault = jsonFault(item, depth + 1)
    if (fault) return fault
  }
  return undefined
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const isCanonicalTime = (value: string, digits: SecondDigits) =>
  value.length === 21 + digits && value.charCodeAt(10) === 84 && value.charCodeAt(20 + digits) === 90

function timestampFault(value: unknown, digits: SecondDigits): string | undefined {
  const time = typeof value === 'string' ? parseTime(value) : 'form'
  if (time === 'day') return 'a time of a day that there is'
  if (time === 'range') return 'a time of the years 0001 to 9999 in UTC'
  if (time === 'form')
    return `a time with its offset from UTC (RFC 3339), written like ${digits === 6 ? '2026-01-31T08:30:00.000000Z' : '2026-01-31T08:30:00.000Z'}`
  if (time.fraction.length <= digits) return undefined
  const more = digits === 3 ? ', or let the column keep six: timestamp({ digits: 6 })' : ''
  return `a time with at most ${digits} digits behind the second. This one has ${time.fraction.length}: cut or round them${more}`
}

/**
 * Canonical base64url (RFC 4648, section 5): the bits that the last character leaves over are zero.
 */
function isBase64url(value: unknown): boolean {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]*$/.test(value)) return false
  const rest = value.length % 4
  if (rest === 0) return true
  const last = value.at(-1) ?? ''
  return rest === 2 ? 'AQgw'.includes(last) : rest === 3 ? 'AEIMQUYcgkosw048'.includes(last) : false
}
