import { timestamptzToMicroseconds } from '../../model/timestamptz.ts'
import { quote } from '../../model/untrusted.ts'
import type { ChunkSize, ReadChunk } from '../ndjson.ts'
import { checkMap, headerFinder, type RowOptions } from '../row-options.ts'
import { countersOf, setCounters } from '../row-values.ts'
import type { CsvRecord } from './csv.ts'
import { NumberWatch } from './number-text.ts'
import {
  checkNeeded,
  delimiterAdvice,
  faultOf,
  otherDelimiter,
  type RecordReader,
  type RecordsOptions,
  readHeaders,
  readRecordChunks,
} from './records.ts'
import { BadField, fieldReader, plainField, plainRules } from './value.ts'

/** How the records of a CSV file become rows of a table. */
export interface CsvOptions extends RowOptions, Omit<RecordsOptions, 'nulls'> {}

/**
 * Reads CSV in chunks of changes: a put for each record. Throws a `TypeError` that says what to
 * write where the header does not fit, before the first chunk, or the numbers so far can mean two
 * things.
 */
export async function* readCsvLines(
  blocks: AsyncIterable<string>,
  options: CsvOptions,
  size: ChunkSize,
  watch = new NumberWatch(),
): AsyncGenerator<ReadChunk> {
  const { nulls } = options.rules ?? plainRules
  const chunks = readRecordChunks(blocks, { ...options, nulls }, size, (record, delimiter) => {
    watch.isSemicolon = delimiter === ';'
    return readHeader(record, { ...options, delimiter }, watch)
  })
  for await (const chunk of chunks) {
    watch.check()
    yield chunk
  }
}

function readHeader(header: CsvRecord, options: CsvOptions, watch: NumberWatch): RecordReader {
  const fields = readHeaders(header)
  const { table, atHeader, scopeHeader, delimiter, rules = plainRules } = options
  const found = placeHeaders(fields, options)
  const counters = countersOf(table)
  const { id, at, scope } = found
  const columns = found.columns.map(({ place, column }) => {
    return { place, name: column.name, read: fieldReader(column, table.name, rules, watch) }
  })
  return (record) => {
    const { line, fields: values } = record
    const fault = faultOf(record, fields, delimiter)
    if (fault) return { line, error: fault, source: record }
    watch.line = line
    const row: Record<string, unknown> = {}
    for (const { place, name, read } of columns) {
      const value = read(values[place] as string)
      if (value instanceof BadField) return { line, error: value.error, source: record }
      row[name] = value
    }
    const stamp = atHeader === undefined ? options.at : readStamp(plainField(values[at] as string))
    const change = {
      table: table.name,
      op: 'put',
      id: plainField(values[id] as string),
      at: stamp,
      row: setCounters(counters, row),
    }
    if (scopeHeader === undefined) return { line, value: change, source: record }
    return { line, value: { ...change, scope: plainField(values[scope] as string) }, source: record }
  }
}

/** Where each column stands. */
function placeHeaders(fields: readonly string[], options: CsvOptions) {
  const { table, atHeader, scopeHeader, headers, ignore, delimiter } = options
  checkMap(options)
  const known = ['id', ...table.columns.map(({ name }) => name)]
  const ignored = ignore === 'others' ? [] : ignore
  const own = [atHeader, scopeHeader].filter((header) => header !== undefined)
  checkNeeded(fields, [...headers.values(), ...ignored, ...own])
  const headerOf = headerFinder(options)
  const placeOf = (name: string) => fields.indexOf(headerOf(name) ?? '\0')

  const taken = new Set([...known.map(headerOf), ...ignored, ...own])
  const unknown = ignore === 'others' ? [] : fields.filter((field) => !taken.has(field))
  if (unknown.length > 0) {
    const [first] = unknown as [string]
    const other = otherDelimiter(fields, delimiter)
    throw new TypeError(
      `${table.name} has no column for the header${unknown.length > 1 ? 's' : ''} ${unknown.map(quote).join(', ')}. It has ${known.join(', ')}. ` +
        (other !== undefined
          ? delimiterAdvice(other)
          : `Write --map column=${word(first)} for the column that it is, or --ignore ${word(first)}; --ignore-others passes over all of these.`),
    )
  }
  if (placeOf('id') === -1) {
    throw new TypeError(
      `The file has no header "id". Write --map id=${word(fields[0] ?? '')} with the header of the ids.`,
    )
  }
  const columns = table.columns.map((column) => ({ column, place: placeOf(column.name) }))
  for (const { column, place } of columns) {
    if (place !== -1 || column.nullable || column.default !== undefined) continue
    throw new TypeError(
      `${table.name}.${column.name} is required, and no header stands for it. Write --map ${column.name}=… with one of ${fields.map(quote).join(', ')}.`,
    )
  }
  return {
    id: placeOf('id'),
    at: fields.indexOf(atHeader ?? '\0'),
    scope: fields.indexOf(scopeHeader ?? '\0'),
    columns: columns.filter(({ place }) => place !== -1),
  }
}

/** A header as a word of a command line. */
const word = (header: string) => (/^[\w.-]+$/.test(header) ? header : `'${header.replaceAll("'", `'\\''`)}'`)

/** Microseconds, or RFC 3339. What is neither stays text, which the decoder rejects. */
export function readStamp(text: string): unknown {
  if (/^\d{1,16}$/.test(text)) return Number(text)
  try {
    return timestamptzToMicroseconds(text)
  } catch {
    return text
  }
}
