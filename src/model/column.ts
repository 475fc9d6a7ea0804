import { limits } from './limits.ts'
import { isName } from './names.ts'
import type { SecondDigits } from './time.ts'
import { type ColumnType, canonicalValue, type JsonValue, type ValueRules, valueCheck } from './value.ts'

/** One declared column. `Value` is what a row holds, `Optional` whether a put may leave it out. */
export interface Column<Value = unknown, Optional extends boolean = boolean> {
  readonly type: ColumnType
  readonly nullable: boolean
  /**
   * What a put that leaves the column out writes. Absent: NULL where nullable, else the change is
   * rejected.
   */
  readonly default?: Value
  readonly rules: ValueRules
  /** The name that the column had: its migration keeps what is stored. */
  readonly renamedFrom?: string
  /** The version of the app that was the first to know it. Absent: all know it. */
  readonly since?: number
  /** Never set: carries `Optional` to the row types. */
  readonly optional?: Optional
}

interface Common<Value> {
  readonly nullable?: true
  readonly default?: Value
  /**
   * The name that the column had before: `generate` renames it, and apps that know only this name
   * go on with it. It may go once there are no such apps any more.
   */
  readonly renamedFrom?: string
  /**
   * The version of the app, from 2 on, that was the first to know the column, or its new name. Apps
   * say theirs in the `columns` of their requests; those that say nothing may have version 1.
   */
  readonly since?: number
}
interface TextOptions<Value extends string> extends Common<Value> {
  readonly maxLength?: number
  readonly oneOf?: readonly Value[]
}
interface DecimalOptions extends Common<string> {
  /**
   * Digits in all, at the most. With `scale`, `precision - scale` of them before the point, as
   * `numeric` has it.
   */
  readonly precision?: number
  /** Digits behind the point, at the most. */
  readonly scale?: number
}
interface TimestampOptions extends Common<string> {
  /** Digits of a second that are kept: 3 unless it is said. */
  readonly digits?: SecondDigits
}
type Known<Options, Allowed> = Options & { readonly [K in Exclude<keyof Options, keyof Allowed>]: never }
type ColumnOf<Value, Options> = Options extends { nullable: true }
  ? Column<Value | null, true>
  : Column<Value, Options extends { default: unknown } ? true : false>

export function text<const Value extends string = string, const O extends TextOptions<Value> = TextOptions<Value>>(
  options?: Known<O, TextOptions<string>> & { readonly oneOf?: readonly Value[] },
): ColumnOf<O extends { oneOf: readonly (infer One)[] } ? One : string, O> {
  return column('text', options)
}
/** Safe integers: bigint in Postgres, INTEGER in SQLite. */
export function integer<const O extends Common<number> = object>(
  options?: Known<O, Common<number>>,
): ColumnOf<number, O> {
  return column('integer', options)
}
/** Finite doubles: double precision in Postgres, REAL in SQLite. */
export function real<const O extends Common<number> = object>(options?: Known<O, Common<number>>): ColumnOf<number, O> {
  return column('real', options)
}
/**
 * A number of up to 1,000 digits that is kept as it is written, as text on the wire: `"1234.50"`.
 * Noughts at its end are kept, too. numeric in Postgres, TEXT in SQLite. `precision` and `scale`
 * are the server's checks.
 */
export function decimal<const O extends DecimalOptions = object>(
  options?: Known<O, DecimalOptions>,
): ColumnOf<string, O> {
  return column('decimal', options)
}
export function boolean<const O extends Common<boolean> = object>(
  options?: Known<O, Common<boolean>>,
): ColumnOf<boolean, O> {
  return column('boolean', options)
}
/** Any JSON value but a bare null, kept as its compact text. */
export function json<const O extends Common<JsonValue> = object>(
  options?: Known<O, Common<JsonValue>>,
): ColumnOf<JsonValue, O> {
  return column('json', options)
}
/**
 * A time: any of RFC 3339 with its offset, with no more digits than it keeps. It is stored and
 * comes back in UTC, `2026-01-31T08:30:00.000Z`, or with six digits. timestamptz in Postgres, TEXT
 * in SQLite.
 */
export function timestamp<const O extends TimestampOptions = object>(
  options?: Known<O, TimestampOptions>,
): ColumnOf<string, O> {
  return column('timestamp', options)
}
/** A UUID in lower case: uuid in Postgres, TEXT in SQLite. */
export function uuid<const O extends Common<string> = object>(options?: Known<O, Common<string>>): ColumnOf<string, O> {
  return column('uuid', options)
}
/** Bytes, as base64url without padding on the wire: bytea in Postgres, BLOB in SQLite. */
export function bytes<const O extends Common<string> = object>(
  options?: Known<O, Common<string>>,
): ColumnOf<string, O> {
  return column('bytes', options)
}

/** The options of a type beside those of all, and what each must be. */
const rulesOf: {
  readonly [type in ColumnType]?: { readonly [rule in keyof ValueRules]: ((value: unknown) => boolean) | null }
} = {
  text: { maxLength: null, oneOf: null },
  decimal: { precision: (value) => isCount(value, 1), scale: (value) => isCount(value, 0) },
  timestamp: { digits: (value) => value === 3 || value === 6 },
}
const isCount = (value: unknown, least: number) =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= limits.decimalDigitsMax

function column<Result>(type: ColumnType, options: object = {}): Result {
  const known = rulesOf[type] ?? {}
  const allowed = ['nullable', 'default', 'renamedFrom', 'since', ...Object.keys(known)]
  for (const [key, value] of Object.entries(options)) {
    if (!allowed.includes(key)) throw new TypeError(`${type}() has no option ${key}; it takes ${allowed.join(', ')}`)
    if (value !== undefined && known[key as keyof ValueRules]?.(value) === false) {
      const range = key === 'digits' ? '3 or 6' : `an integer up to ${limits.decimalDigitsMax}`
      throw new TypeError(`${type}(): ${key} must be ${range}`)
    }
  }
  const {
    nullable = false,
    default: preset,
    renamedFrom,
    since,
    ...rules
  } = options as { nullable?: boolean; default?: unknown; renamedFrom?: string; since?: number } & ValueRules
  if (renamedFrom !== undefined && !isName(renamedFrom))
    throw new TypeError(`${type}(): renamedFrom must be the name that the column had, such as 'notes'`)
  if (since !== undefined) checkSince(`${type}()`, since)
  const named = { ...(renamedFrom !== undefined && { renamedFrom }), ...(since !== undefined && { since }) }
  if (rules.precision !== undefined && rules.scale !== undefined && rules.scale > rules.precision)
    throw new TypeError(`${type}(): scale must not be above precision`)
  if (preset === undefined) return { type, nullable, rules, ...named } as Result
  if (nullable) throw new TypeError(`${type}(): a column is nullable or has a default, not both`)
  const fault = valueCheck(type, rules)(preset)
  if (fault) throw new TypeError(`${type}(): the default must be ${fault}`)
  return { type, nullable, rules, ...named, default: canonicalValue(type, rules, preset) } as Result
}

/** Version 1 of an app is the one that does not say its version. */
export function checkSince(what: string, since: unknown): void {
  if (!Number.isSafeInteger(since) || (since as number) < 2)
    throw new TypeError(`${what}: since must be a version of the app, an integer from 2 on`)
}
