import { limits } from '../limits.ts'
import { isStorable, lengthUpTo } from './text.ts'

/** The eight column types. What each holds in Postgres and in SQLite stands in the dialects. */
export type ColumnType = 'text' | 'integer' | 'real' | 'boolean' | 'json' | 'timestamp' | 'uuid' | 'bytes'

/** Types whose values have no bound but that of a change. */
export const isLong = (type: ColumnType): boolean => type === 'text' || type === 'json' || type === 'bytes'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/** What narrows a type: both are for `text` only. */
export interface ValueRules {
  readonly maxLength?: number | undefined
  readonly oneOf?: readonly string[] | undefined
}

/** Says what is wrong with a value in words that follow "must be", or nothing. Never repeats the value. */
export type ValueCheck = (value: unknown) => string | undefined

/**
 * The check of a column type. There is no coercion: what passes comes back from both dialects exactly as it was
 * sent, and what would not is refused here, before a database sees it.
 */
export function valueCheck(type: ColumnType, rules: ValueRules = {}): ValueCheck {
  switch (type) {
    case 'text':
      return textCheck(rules)
    case 'integer':
      return (value) => (Number.isSafeInteger(value) ? undefined : 'an integer between -(2^53 - 1) and 2^53 - 1')
    case 'real':
      return (value) => (Number.isFinite(value) ? undefined : 'a finite number')
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? undefined : 'true or false')
    case 'json':
      return (value) => jsonFault(value, 0)
    case 'timestamp':
      return (value) => (isTimestamp(value) ? undefined : 'a UTC time written like 2026-01-31T08:30:00.000Z')
    case 'uuid':
      return (value) => (typeof value === 'string' && uuidPattern.test(value) ? undefined : 'a UUID in lower case')
    case 'bytes':
      return (value) => (isBase64url(value) ? undefined : 'base64url without padding')
  }
}

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

/** A number beyond 2^53 that has no fraction was very likely rounded when it was parsed: it would not come back as sent. */
function jsonFault(value: unknown, depth: number): string | undefined {
  if (value === null || typeof value === 'boolean') return undefined
  if (typeof value === 'string')
    return isStorable(value) ? undefined : 'JSON whose text has no NUL and no lone surrogates'
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return 'JSON whose numbers are finite'
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? 'JSON whose integers are below 2^53' : undefined
  }
  if (typeof value !== 'object') return 'a JSON value'
  if (depth === limits.jsonDepthMax) return `JSON nested at most ${limits.jsonDepthMax} levels deep`
  for (const [key, item] of Object.entries(value)) {
    if (!isStorable(key)) return 'JSON whose text has no NUL and no lone surrogates'
    const fault = jsonFault(item, depth + 1)
    if (fault) return fault
  }
  return undefined
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const timestampPattern = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** RFC 3339 in UTC with milliseconds: what `Date.prototype.toISOString` prints, for the years 0001 to 9999. */
function isTimestamp(value: unknown): boolean {
  if (typeof value !== 'string' || !timestampPattern.test(value)) return false
  const time = Date.parse(value)
  return !Number.isNaN(time) && new Date(time).toISOString() === value
}

/** Canonical base64url (RFC 4648, section 5): the bits that the last character leaves over are zero. */
function isBase64url(value: unknown): boolean {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]*$/.test(value)) return false
  const rest = value.length % 4
  if (rest === 0) return true
  const last = value.at(-1) ?? ''
  return rest === 2 ? 'AQgw'.includes(last) : rest === 3 ? 'AEIMQUYcgkosw048'.includes(last) : false
}
