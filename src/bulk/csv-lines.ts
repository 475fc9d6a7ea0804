import { rejection } from '../errors.ts'
import { quote } from '../sync/change.ts'
import type { Table } from '../sync/table.ts'
import { timestamptzToMicroseconds } from '../webhooks/timestamptz.ts'
import { type CsvBlock, type CsvRecord, readCsv } from './csv.ts'
import { fieldToValue } from './csv-value.ts'
import type { ChunkSize, ImportLine, ReadChunk } from './lines.ts'

/** How the records of a CSV file become rows of a table. */
export interface CsvWish {
  readonly table: Table
  /** The stamp of all rows; `atHeader` names the header of those that have one each. */
  readonly at: number | undefined
  readonly atHeader?: string | undefined
  /** Headers by the column, or `id`, that they stand for. A header that is the column's own name needs none. */
  readonly headers: ReadonlyMap<string, string>
  /** Headers that are passed over, or all that stand for nothing. */
  readonly ignore: readonly string[] | 'others'
  readonly delimiter: string
}

/**
 * Reads CSV in chunks of changes: a put for each record. Throws a `TypeError` that says what to write where the header
 * does not fit, before the first chunk.
 */
export async function* readCsvLines(
  blocks: AsyncIterable<string>,
  wish: CsvWish,
  { linesMax, textMax, firstMax = linesMax }: ChunkSize,
): AsyncGenerator<ReadChunk> {
  let toLine: ((record: CsvRecord) => ImportLine) | undefined
  let lines: ImportLine[] = []
  let text = 0
  let last = 0
  let wanted = firstMax
  for await (const { records, textEach } of readCsv(blocks, wish.delimiter) as AsyncIterable<CsvBlock>) {
    for (const record of records) {
      if (!toLine) {
        toLine = readHeader(record, wish)
        continue
      }
      lines.push(toLine(record))
      last = record.last
      text += textEach
      if (lines.length >= wanted || text >= textMax) {
        yield { lines, last }
        wanted = Math.min(2 * wanted, linesMax)
        lines = []
        text = 0
      }
    }
  }
  if (!toLine) throw new TypeError('The file is empty. A CSV file begins with a line of headers.')
  if (lines.length > 0) yield { lines, last }
}

function readHeader({ fields, error }: CsvRecord, wish: CsvWish): (record: CsvRecord) => ImportLine {
  if (error) throw new TypeError(`The first line is no header. ${error.detail}`)
  const { table, atHeader, delimiter } = wish
  const { id, at, columns } = placeHeaders(fields, wish)
  return ({ line, fields: values, error: fault, text }) => {
    if (fault) return { line, error: fault, source: text }
    if (values.length !== fields.length) {
      const counts = `The record has ${values.length} fields, and the header ${fields.length}`
      const detail = `${counts}. A field that holds ${delimiter === '\t' ? 'a tab' : quote(delimiter)} or a line break stands in quotes.`
      return { line, error: rejection('invalid_change', detail), source: values }
    }
    const row: Record<string, unknown> = {}
    for (const { place, column } of columns) row[column.name] = fieldToValue(values[place] as string, column)
    const stamp = atHeader === undefined ? wish.at : readStamp(values[at] as string)
    return { line, value: { table: table.name, op: 'put', id: values[id], at: stamp, row }, source: values }
  }
}

/** Where each column stands. */
function placeHeaders(fields: readonly string[], { table, atHeader, headers, ignore, delimiter }: CsvWish) {
  const twice = fields.find((field, place) => fields.indexOf(field) !== place && field !== '')
  if (twice !== undefined) throw new TypeError(`The header ${quote(twice)} stands twice.`)
  const known = ['id', ...table.columns.map(({ name }) => name)]
  const wrong = [...headers.keys()].find((name) => !known.includes(name))
  if (wrong !== undefined) {
    throw new TypeError(`--map ${wrong}=…: ${table.name} has no column ${quote(wrong)}. It has ${known.join(', ')}.`)
  }
  const ignored = ignore === 'others' ? [] : ignore
  const named = [...headers.values(), ...ignored, ...(atHeader === undefined ? [] : [atHeader])]
  const missing = named.find((header) => !fields.includes(header))
  if (missing !== undefined) {
    throw new TypeError(`The file has no header ${quote(missing)}. It has ${fields.map(quote).join(', ')}.`)
  }
  const mapped = new Set(headers.values())
  const headerOf = (name: string) =>
    headers.get(name) ?? (mapped.has(name) || ignored.includes(name) ? undefined : name)
  const placeOf = (name: string) => fields.indexOf(headerOf(name) ?? '\0')

  const taken = new Set([...known.map(headerOf), ...ignored, atHeader])
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
    at: atHeader === undefined ? -1 : fields.indexOf(atHeader),
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
