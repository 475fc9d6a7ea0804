import { limits } from './limits.ts'
import { isName } from './names.ts'
import type { SecondDigits } from './time.ts'
import { type ColumnType, canonicalValue, type JsonValue, type ValueRules, valueCheck } from './value.ts'

/**
 * How values of a column meet (MERGE 1): the greater or the lesser one stays, or the first that
 * arrived; or what is added to a number stays.
 */
export type MergeRule = 'max' | 'min' | 'once' | 'counter'

/** The server's time, or position, when a row was made, or when it was last written. */
export type Filled = 'created' | 'written'

/**
 * One declared column. `Value` is what a row holds, `Optional` whether a put may leave it out,
 * `Put` and `Patch` what these may send for it.
 */
export interface Column<Value = unknown, Optional extends boolean = boolean, Put = unknown, Patch = unknown> {
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
  /** Absent: the last writer wins. */
  readonly merge?: MergeRule
  /** The server fills it, and no change may bring it. */
  readonly filled?: Filled
  /** The database fills it, and no change may bring it. */
  readonly readonly?: true
  /** No other living row of the scope holds its value. */
  readonly unique?: true
  /** Never set: these carry their types to the row types. */
  readonly optional?: Optional
  readonly put?: Put
  readonly patch?: Patch
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
  /**
   * The value is unique among the living rows of a scope, NULL apart. A put or patch that would
   * take another row's is rejected `key_taken`.
   */
  readonly unique?: true
  /** The first value that arrives stays, whoever writes later. Null gives way to any. */
  readonly merge?: 'once'
  /**
   * Of a table that is adopted: a generated column, or one that triggers keep. No change may bring
   * it.
   */
  readonly readonly?: true
}
interface Comparable<Value, Merges = 'once' | 'max' | 'min'> extends Omit<Common<Value>, 'merge'> {
  /**
   * The greatest value stays, or the least one, whenever it was written, or the first that arrives.
   * Null gives way to any.
   */
  readonly merge?: Merges
}
interface IntegerOptions extends Comparable<number> {
  /**
   * The position of the put that made the row: a number of the scope that rises and has gaps. No
   * change may bring it.
   */
  readonly filled?: 'created'
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
interface TimestampOptions extends Comparable<string> {
  /**
   * The server's time when the row was made, or when it was last written. No change may bring it.
   */
  readonly filled?: Filled
  /** Digits of a second that are kept: 3 unless it is said. */
  readonly digits?: SecondDigits
}
type Known<Options, Allowed> = Options & { readonly [K in Exclude<keyof Options, keyof Allowed>]: never }
type ColumnOf<Value, Options> = Options extends { filled: Filled } | { readonly: true }
  ? Column<Options extends { nullable: true } ? Value | null : Value, true, never, never>
  : Options extends { nullable: true }
    ? Column<Value | null, true, Value | null, Value | null>
    : Column<Value, Options extends { default: unknown } ? true : false, Value, Value>

export function text<const Value extends string = string, const O extends TextOptions<Value> = TextOptions<Value>>(
  options?: Known<O, TextOptions<string>> & { readonly oneOf?: readonly Value[] },
): ColumnOf<O extends { oneOf: readonly (infer One)[] } ? One : string, O> {
  return column('text', options)
}
/** Safe integers: bigint in Postgres, INTEGER in SQLite. */
export function integer<const O extends IntegerOptions = object>(
  options?: Known<O, IntegerOptions>,
): ColumnOf<number, O> {
  return column('integer', options)
}
/** Finite doubles: double precision in Postgres, REAL in SQLite. */
export function real<const O extends Comparable<number> = object>(
  options?: Known<O, Comparable<number>>,
): ColumnOf<number, O> {
  return column('real', options)
}
/** What a change does to a counter: it adds to it, or sets it. */
export type CounterEdit = { readonly add: number } | { readonly set: number }
/** The same as it is typed for who writes it: not both. */
export type CounterInput =
  | { readonly add: number; readonly set?: never }
  | { readonly set: number; readonly add?: never }
interface CounterOptions {
  readonly renamedFrom?: string
  readonly since?: number
}
/**
 * A number of which everything that was added stays, however late it comes: a stock, likes. A safe
 * integer, never null, which begins with 0. A put gives what a new row begins with, a patch `{ add:
 * 1 }` or `{ set: 5 }`.
 */
export function counter(options: CounterOptions = {}): Column<number, true, number | CounterInput, CounterInput> {
  const declared = column<Column<number, true, number | CounterInput, CounterInput>>('integer', options, 'counter')
  return { ...declared, default: 0, merge: 'counter' }
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

const mergesOf = (type: ColumnType): readonly MergeRule[] =>
  type === 'integer' || type === 'real' || type === 'timestamp' ? ['max', 'min', 'once'] : ['once']
const fillsOf: { readonly [type in ColumnType]?: readonly Filled[] } = {
  integer: ['created'],
  timestamp: ['created', 'written'],
}

function column<Result>(type: ColumnType, options: object = {}, called: string = type): Result {
  const known = rulesOf[type] ?? {}
  const allowed =
    called === 'counter'
      ? ['renamedFrom', 'since']
      : [
          ...['nullable', 'default', 'renamedFrom', 'since', 'unique', 'merge', 'readonly'],
          ...(fillsOf[type] ? ['filled'] : []),
          ...Object.keys(known),
        ]
  for (const [key, value] of Object.entries(options)) {
    if (!allowed.includes(key)) throw new TypeError(`${called}() has no option ${key}; it takes ${allowed.join(', ')}`)
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
    unique,
    merge,
    filled,
    readonly,
    ...rules
  } = options as { nullable?: boolean; default?: unknown; renamedFrom?: string; since?: number } & Partial<
    Pick<Column, 'unique' | 'merge' | 'filled' | 'readonly'>
  > &
    ValueRules
  if (unique !== undefined && unique !== true) throw new TypeError(`${type}(): unique must be true, or absent`)
  if (merge !== undefined && !mergesOf(type).includes(merge))
    throw new TypeError(`${type}(): merge must be one of ${mergesOf(type).join(', ')}`)
  if (readonly !== undefined && (readonly !== true || preset !== undefined || unique || merge || filled))
    throw new TypeError(`${type}(): readonly must be true, and the column has no default, unique, merge or filled`)
  if (filled !== undefined) checkFilled(type, filled, { preset, unique, merge })
  if (renamedFrom !== undefined && !isName(renamedFrom))
    throw new TypeError(`${type}(): renamedFrom must be the name that the column had, such as 'notes'`)
  if (since !== undefined) checkSince(`${type}()`, since)
  const named = {
    ...(renamedFrom !== undefined && { renamedFrom }),
    ...(since !== undefined && { since }),
    ...(unique && { unique }),
    ...(merge && { merge }),
    ...(filled && { filled }),
    ...(readonly && { readonly }),
  }
  if (rules.precision !== undefined && rules.scale !== undefined && rules.scale > rules.precision)
    throw new TypeError(`${type}(): scale must not be above precision`)
  if (preset === undefined) return { type, nullable, rules, ...named } as Result
  if (nullable) throw new TypeError(`${type}(): a column is nullable or has a default, not both`)
  const fault = valueCheck(type, rules)(preset)
  if (fault) throw new TypeError(`${type}(): the default must be ${fault}`)
  return { type, nullable, rules, ...named, default: canonicalValue(type, rules, preset) } as Result
}

function checkFilled(
  type: ColumnType,
  filled: Filled,
  { preset, unique, merge }: { preset: unknown; unique: unknown; merge: unknown },
): void {
  const allowed = fillsOf[type] ?? []
  if (!allowed.includes(filled)) throw new TypeError(`${type}(): filled must be ${allowed.join(' or ')}`)
  if (preset !== undefined || unique !== undefined || merge !== undefined)
    throw new TypeError(`${type}(): the server fills the column, so it has no default, unique or merge`)
}

/** Version 1 of an app is the one that does not say its version. */
export function checkSince(what: string, since: unknown): void {
  if (!Number.isSafeInteger(since) || (since as number) < 2)
    throw new TypeError(`${what}: since must be a version of the app, an integer from 2 on`)
}
