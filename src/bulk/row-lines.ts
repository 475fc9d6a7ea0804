import { type Rejection, rejection } from '../model/errors.ts'
import type { TableColumn } from '../model/table.ts'
import { isObject, quote } from '../model/untrusted.ts'
import { readStamp } from './csv/lines.ts'
import { NumberWatch } from './csv/number-text.ts'
import { BadField, fieldReader, plainRules } from './csv/value.ts'
import type { Exported, ReadExported } from './exports/shape.ts'
import { isPageEnd } from './import.ts'
import type { ImportLine, ReadChunk } from './ndjson.ts'
import { checkMap, headerFinder, type RowOptions } from './row-options.ts'
import { countersOf, idToText, setCounters, toBoolean } from './row-values.ts'

/** How lines of JSON become rows of a table. */
export interface JsonRowOptions extends RowOptions {
  /** Reads a line of an export of another program. */
  readonly read?: ReadExported | undefined
  /**
   * Whether values may be written as other programs do: numbers, truth values and times as text,
   * text of digits as a number.
   */
  readonly isLoose: boolean
  /** Whether a text in a `json` column is JSON itself, as where the database knows no JSON. */
  readonly isJsonText: boolean
}

/**
 * Rows of JSON, an object in each line or element, as changes: a put for each. Throws as
 * `readCsvLines` does.
 */
export async function* readRowLines(
  chunks: AsyncIterable<ReadChunk>,
  options: JsonRowOptions,
  watch = new NumberWatch(),
): AsyncGenerator<ReadChunk> {
  checkMap(options)
  const toChange = rowReader(options, watch)
  for await (const { lines, last } of chunks) {
    const changes: ImportLine[] = []
    for (const line of lines) {
      watch.line = line.line
      const found =
        line.error || (!options.read && isPageEnd(line.value))
          ? line
          : { ...line, ...toChange(line.value, keyOf(line)) }
      if (found.error || found.value !== undefined) changes.push(found)
    }
    watch.check()
    yield { lines: changes, last }
  }
}

/** What an element stands under, where that says its id. */
export const keyOf = ({ source }: ImportLine) =>
  typeof source === 'object' && 'key' in source ? (source.key as string) : undefined

type Read = { readonly value: unknown } | { readonly error: Rejection }

function rowReader(options: JsonRowOptions, watch: NumberWatch): (value: unknown, key: string | undefined) => Read {
  const { atHeader, scopeHeader, read } = options
  const toChange = changeReader(options, watch)
  const idHeader = headerFinder(options)('id')
  const needed = [idHeader === 'id' ? undefined : idHeader, atHeader, scopeHeader].filter((one) => one !== undefined)
  return (value, key) => {
    const exported = readRecord(value, key, read)
    if ('skipped' in exported) return { value: undefined }
    if ('fault' in exported) return fault(exported.fault)
    if ('deleted' in exported) return deletion(options, exported.deleted)
    const { row } = exported
    for (const header of needed) if (!Object.hasOwn(row, header)) return lacks(header)
    return toChange(row)
  }
}

/**
 * What an element is, to the reader of its program or as it stands. `key`: what it stands under.
 */
export function readRecord(value: unknown, key: string | undefined, read: ReadExported | undefined): Exported {
  if (!isObject(value)) return { fault: 'A row must be an object.' }
  if (read) return read(value, key)
  return { row: key === undefined ? value : { ...value, id: key } }
}

/** The change of a document that is gone, of which no more than the id is known. */
export function deletion({ table, at, atHeader, scopeHeader }: RowOptions, id: string): Read {
  if (scopeHeader === undefined && atHeader === undefined) return { value: { table: table.name, op: 'delete', id, at } }
  return fault('A deleted document says neither whose it was nor when.')
}

/** The stamp and the scope of a row, where they are not read from it. */
export interface OwnPlace {
  readonly at: unknown
  readonly scope: unknown
}

/** Makes the put of a row, an object of the columns by their headers. */
export function changeReader(
  options: JsonRowOptions,
  watch: NumberWatch,
): (row: Readonly<Record<string, unknown>>, own?: OwnPlace) => Read {
  const { table, at: atAll, atHeader, scopeHeader, ignore, read: readExported } = options
  const headerOf = headerFinder(options)
  const counters = countersOf(table)
  const columns = new Map<string, { name: string; read: (value: unknown) => unknown }>()
  for (const column of table.columns) {
    const header = headerOf(column.name)
    if (header !== undefined) columns.set(header, { name: column.name, read: valueReader(column, options, watch) })
  }
  const idHeader = headerOf('id')
  const passed = new Set([
    ...(ignore === 'others' ? [] : ignore),
    ...[atHeader, scopeHeader].filter((one) => one !== undefined),
  ])

  // An export has its own id, whatever else is taken for it.
  const exportsId = readExported !== undefined

  return (from, own) => {
    // Without a prototype, so that no name means anything.
    const row: Record<string, unknown> = Object.create(null)
    for (const name of Object.keys(from)) {
      const value = from[name]
      // As if it were not there: JSON has none of these, and functions do.
      if (value === undefined) continue
      const column = columns.get(name)
      if (column) {
        const read = column.read(value)
        if (read instanceof BadField) return { error: read.error }
        row[column.name] = read
      } else if (name !== idHeader && !passed.has(name) && ignore !== 'others' && !(exportsId && name === 'id')) {
        row[name] = value
        if (table.places.has(name)) return fault(`${quote(name)} stands for no column here. Add --ignore ${name}.`)
      }
    }
    const id = idToText(from[idHeader as string])
    const at = own ? own.at : atHeader === undefined ? atAll : toStamp(from[atHeader])
    const scope = own ? own.scope : scopeHeader === undefined ? undefined : idToText(from[scopeHeader])
    const change = { table: table.name, op: 'put', id, at, row: setCounters(counters, row) }
    return { value: scope === undefined ? change : { ...change, scope } }
  }
}

/** What a column makes of a value. */
function valueReader(column: TableColumn, options: JsonRowOptions, watch: NumberWatch): (value: unknown) => unknown {
  const { rules = plainRules, isLoose, isJsonText } = options
  const { type } = column
  const read = fieldReader(column, options.table.name, rules, watch)
  const isText = type === 'text' || (type === 'json' && !isJsonText)
  return (value) => {
    if (typeof value === 'number') {
      if (type === 'boolean') return toBoolean(value)
      return isLoose && type === 'text' ? idToText(value) : value
    }
    if (typeof value !== 'string') return value
    if (rules.nulls.has(value)) return read(value)
    return isText || !isLoose ? value : read(value)
  }
}

export const toStamp = (value: unknown) => (typeof value === 'string' ? readStamp(value) : value)

export const lacks = (header: string) => fault(`The row has no ${quote(header)}.`)

const fault = (detail: string) => ({ error: rejection('invalid_change', detail) })
