import { toDecimal } from '../../model/decimal.ts'
import { type Rejection, rejection } from '../../model/errors.ts'
import { InexactNumber, isExact, parseExact } from '../../model/exact.ts'
import type { TableColumn } from '../../model/table.ts'
import { formatTime, parsePrintedTime } from '../../model/time.ts'
import type { ColumnType } from '../../model/value.ts'
import { type NumberForm, type NumberWatch, numberMender, plainNumbers, sayNumber } from './number-text.ts'

/** How the fields of a file are written, beyond what is always taken. */
export interface FieldRules {
  /** Texts that stand for null, where no quotes are around them. */
  readonly nulls: ReadonlySet<string>
  /** Whether an empty field without quotes is empty text too, where its column is text. */
  readonly emptyAsText: boolean
  readonly numbers: NumberForm
  /** Words for true and false, in lower case. */
  readonly booleans: ReadonlyMap<string, boolean>
}

/** As programs write them: Postgres a letter, spreadsheets in capitals. */
export const booleanWords: ReadonlyMap<string, boolean> = new Map([
  ...['true', 't', '1'].map((one) => [one, true] as const),
  ...['false', 'f', '0'].map((one) => [one, false] as const),
])

export const plainRules: FieldRules = {
  ...{ nulls: new Set(), emptyAsText: false, numbers: plainNumbers, booleans: booleanWords },
}

/**
 * In place of the quotes around a field that would mean another thing without them: a lone
 * surrogate, which no text holds.
 */
export const quotedMark = '\udcfd'

const markCode = quotedMark.charCodeAt(0)

/** The text of a field, with its quotes or without. */
export const plainField = (field: string): string => (field.charCodeAt(0) === markCode ? field.slice(1, -1) : field)

/** What a field cannot be, in more words than the decoder has. */
export class BadField {
  readonly error: Rejection
  constructor(detail: string) {
    this.error = rejection('invalid_value', detail)
  }
}

const numberTypes: ReadonlySet<string> = new Set(['integer', 'real', 'decimal'])

/**
 * Makes a field of a CSV file a value of its column. What does not fit is a `BadField`, or stays
 * text, or nothing where text would: the decoder of changes rejects it, as it does any other
 * change.
 */
export function fieldReader(
  column: TableColumn,
  table: string,
  rules: FieldRules,
  watch: NumberWatch,
): (field: string) => unknown {
  const { type, nullable, default: fallback } = column
  const { nulls, emptyAsText, numbers, booleans } = rules
  const isNumber = numberTypes.has(type)
  const isWatched = isNumber && !numbers.isTold
  const mend = isNumber ? numberMender(numbers) : asItIs
  const read = readers[type]
  const empty = nullable ? null : (fallback ?? (type === 'text' ? '' : undefined))
  const unquotedEmpty = emptyAsText && type === 'text' ? '' : empty
  const name = `${table}.${column.name}`

  return (field) => {
    if (nulls.size > 0 && nulls.has(field)) return nullable ? null : (fallback ?? null)
    if (field === '') return unquotedEmpty
    if (field.charCodeAt(0) === markCode) {
      const text = plainField(field)
      return text !== '' ? readText(text) : type === 'text' ? '' : empty
    }
    return type === 'text' ? field : readText(field)
  }

  function readText(field: string): unknown {
    if (type === 'boolean') {
      const value = booleans.get(field.toLowerCase())
      return value ?? sayMore(field)
    }
    const mended = mend(field)
    const value = mended === undefined ? field : read(mended)
    if (typeof value === 'number') {
      if (isWatched && type === 'real') watch.seeNumber(field, name)
      return value
    }
    if (typeof value !== 'string' || type === 'text' || type === 'json') return value
    const fits = column.check(value) === undefined
    if (isWatched && fits) watch.seeNumber(field, name)
    else if (isWatched) watch.seeOther(field, name, type)
    if (fits || type !== 'timestamp') return fits ? value : sayMore(field)
    // Of digits and of days the decoder speaks, which may be told to cut them.
    const more = sayTime(field)
    return more === undefined ? value : new BadField(`${name} must be ${column.check(field)}: ${more}.`)
  }

  function sayMore(field: string): BadField | string {
    const more = isNumber
      ? sayNumber(field, numbers)
      : type === 'boolean'
        ? `such as ${[...booleans.keys()].join(', ')} in a file. Other words are named: --true yes --false no`
        : undefined
    return more === undefined ? field : new BadField(`${name} must be ${column.check(field)}: ${more}.`)
  }
}

const asItIs = (field: string): string | undefined => field

const readers: Readonly<Record<ColumnType, (field: string) => unknown>> = {
  text: (field) => field,
  // Minus nought is nought.
  integer: (field) => (/^-?\d+$/.test(field) ? Number(field) + 0 : field),
  real: readReal,
  decimal: toDecimal,
  boolean: (field) => booleanWords.get(field.toLowerCase()) ?? field,
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

/**
 * A time in any zone, as RFC 3339 has it. The decoder says what is wrong with the digits, or with
 * its day.
 */
function readTimestamp(field: string): unknown {
  const time = parsePrintedTime(field)
  if (typeof time !== 'string') return formatTime(time, Math.max(time.fraction.length, 3))
  return time === 'day' ? `${field.slice(0, 10)}T00:00:00Z` : field
}

/** What a time lacks, or has too much of. A file may have any zone. */
function sayTime(field: string): string | undefined {
  if (/^\d{4}-\d\d-\d\d$/.test(field)) return 'this one is a day without a time'
  const [, zone] = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/i.exec(field) ?? []
  if (zone === undefined)
    return /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(field) ? 'this one has no zone, such as Z or +01:00' : undefined
  return undefined
}

function readJson(field: string): unknown {
  try {
    return parseExact(field)
  } catch {
    return undefined
  }
}
