import { rejection } from '../../model/errors.ts'
import { timestamptzToMicroseconds } from '../../model/timestamptz.ts'
import { quote } from '../../model/untrusted.ts'
import type { ChunkSize, ImportLine, ReadChunk } from '../ndjson.ts'
import { checkMap, headerFinder, type RowOptions } from '../row-options.ts'
import { type CsvBlock, type CsvRecord, readCsv } from './csv.ts'
import { NumberWatch } from './number-text.ts'
import { BadField, fieldReader, plainField, plainRules } from './value.ts'

/** How the records of a CSV file become rows of a table. */
export interface CsvOptions extends RowOptions {
  readonly delimiter: string
  /** Whether that is only what is usual, and the file may say another in its first line. */
  readonly isDelimiterGuessed?: boolean
  /**
   * Told of the lines before the rows, as they came: what a file of some of the rows begins with.
   */
  readonly onHead?: (text: string) => void
}

/**
 * Reads CSV in chunks of changes: a put for each record. Throws a `TypeError` that says what to
 * write where the header does not fit, before the first chunk, or the numbers so far can mean two
 * things.
 */
export async function* readCsvLines(
  blocks: AsyncIterable<string>,
  options: CsvOptions,
  { linesMax, textMax, firstMax = linesMax }: ChunkSize,
  watch = new NumberWatch(),
): AsyncGenerator<ReadChunk> {
  let toLine: ((record: CsvRecord) => ImportLine) | undefined
  let lines: ImportLine[] = []
  let text = 0
  let last = 0
  let wanted = firstMax
  let { delimiter } = options
  let separator = ''
  const onDelimiter = (told: string, line: string) => {
    delimiter = told
    separator = line.trimEnd()
  }
  const { nulls } = options.rules ?? plainRules
  const form = { delimiter, isGuessed: options.isDelimiterGuessed ?? false, nulls, onDelimiter }
  for await (const { records, textEach } of readCsv(blocks, form) as AsyncIterable<CsvBlock>) {
    for (const record of records) {
      if (!toLine) {
        watch.isSemicolon = delimiter === ';'
        toLine = readHeader(record, { ...options, delimiter }, watch)
        options.onHead?.(separator === '' ? (record.text ?? '') : `${separator}\r\n${record.text}`)
        continue
      }
      lines.push(toLine(record))
      last = record.last
      text += textEach
      if (lines.length >= wanted || text >= textMax) {
        watch.check()
        yield { lines, last }
        wanted = Math.min(2 * wanted, linesMax)
        lines = []
        text = 0
      }
    }
  }
  if (!toLine) throw new TypeError('The file is empty. A CSV file begins with a line of headers.')
  watch.check()
  if (lines.length > 0) yield { lines, last }
}

function readHeader(
  { fields: headers, error }: CsvRecord,
  options: CsvOptions,
  watch: NumberWatch,
): (record: CsvRecord) => ImportLine {
  if (error) throw new TypeError(`The first line is no header. ${error.detail}`)
  const fields = headers.map(plainField)
  const { table, atHeader, scopeHeader, delimiter, rules = plainRules } = options
  const found = placeHeaders(fields, options)
  const { id, at, scope } = found
  const columns = found.columns.map(({ place, column }) => {
    return { place, name: column.name, read: fieldReader(column, table.name, rules, watch) }
  })
  return (record) => {
    const { line, fields: values, error: fault } = record
    if (fault) return { line, error: fault, source: record }
    if (values.length !== fields.length) {
      const counts = `The record has ${values.length} fields, and the header ${fields.length}`
      const detail = `${counts}. A field that holds ${delimiter === '\t' ? 'a tab' : quote(delimiter)} or a line break stands in quotes.`
      return { line, error: rejection('invalid_change', detail), source: record }
    }
    watch.line = line
    const row: Record<string, unknown> = {}
    for (const { place, name, read } of columns) {
      const value = read(values[place] as string)
      if (value instanceof BadField) return { line, error: value.error, source: record }
      row[name] = value
    }
    const stamp = atHeader === undefined ? options.at : readStamp(plainField(values[at] as string))
    const change = { table: table.name, op: 'put', id: plainField(values[id] as string), at: stamp, row }
    if (scopeHeader === undefined) return { line, value: change, source: record }
    return { line, value: { ...change, scope: plainField(values[scope] as string) }, source: record }
  }
}

/** Where each column stands. */
function placeHeaders(fields: readonly string[], options: CsvOptions) {
  const { table, atHeader, scopeHeader, headers, ignore, delimiter } = options
  const twice = fields.find((field, place) => fields.indexOf(field) !== place && field !== '')
  if (twice !== undefined) throw new TypeError(`The header ${quote(twice)} stands twice.`)
  checkMap(options)
  const known = ['id', ...table.columns.map(({ name }) => name)]
  const ignored = ignore === 'others' ? [] : ignore
  const own = [atHeader, scopeHeader].filter((header) => header !== undefined)
  const missing = [...headers.values(), ...ignored, ...own].find((header) => !fields.includes(header))
  if (missing !== undefined) {
    throw new TypeError(`The file has no header ${quote(missing)}. It has ${fields.map(quote).join(', ')}.`)
  }
  const headerOf = headerFinder(options)
  const placeOf = (name: string) => fields.indexOf(headerOf(name) ?? '\0')

  const taken = new Set([...known.map(headerOf), ...ignored, ...own])
  const unknown = ignore === 'others' ? [] : fields.filter((field) => !taken.has(field))
  if (unknown.length > 0) {
    const [first] = unknown as [string]
    const other = [',', ';', '\t', '|'].find((one) => one !== delimiter && first.includes(one))
    throw new TypeError(
      `${table.name} has no column for the header${unknown.length > 1 ? 's' : ''} ${unknown.map(quote).join(', ')}. It has ${known.join(', ')}. ` +
        (fields.length === 1 && other !== undefined
          ? `If fields end with ${other === '\t' ? 'a tab' : quote(other)}, write --delimiter ${other === '\t' ? 'tab' : `'${other}'`}.`
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
