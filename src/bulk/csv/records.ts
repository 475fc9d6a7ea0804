import { type Rejection, rejection } from '../../model/errors.ts'
import { quote } from '../../model/untrusted.ts'
import type { ChunkSize, ImportLine, ReadChunk } from '../ndjson.ts'
import type { RowOptions } from '../row-options.ts'
import { type CsvBlock, type CsvForm, type CsvRecord, readCsv } from './csv.ts'
import type { NumberWatch } from './number-text.ts'
import { plainField } from './value.ts'

/** What a record becomes, once the header has been read. */
export type RecordReader = (record: CsvRecord) => ImportLine

/** How a file is read, whatever its records become. */
export interface RecordsOptions extends Pick<CsvForm, 'nulls'> {
  readonly delimiter: string
  /** Whether that is only what is usual, and the file may say another in its first line. */
  readonly isDelimiterGuessed?: boolean
  /**
   * Told of the lines before the rows, as they came: what a file of some of the rows begins with.
   */
  readonly onHead?: (text: string) => void
}

/**
 * Reads CSV in chunks. `readHeader` is given the first record, and by what fields end, and says
 * what becomes of the others.
 */
export async function* readRecordChunks(
  blocks: AsyncIterable<string>,
  options: RecordsOptions,
  { linesMax, textMax, firstMax = linesMax }: ChunkSize,
  readHeader: (record: CsvRecord, delimiter: string) => RecordReader,
): AsyncGenerator<ReadChunk> {
  let toLine: RecordReader | undefined
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
  const { nulls, isDelimiterGuessed: isGuessed = false } = options
  const form: CsvForm = { delimiter, isGuessed, ...(nulls && { nulls }), onDelimiter }
  for await (const { records, textEach } of readCsv(blocks, form) as AsyncIterable<CsvBlock>) {
    for (const record of records) {
      if (!toLine) {
        toLine = readHeader(record, delimiter)
        options.onHead?.(separator === '' ? (record.text ?? '') : `${separator}\r\n${record.text}`)
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

/** The names in the header. Throws a `TypeError` where it is none. */
export function readHeaders({ fields, error }: CsvRecord): readonly string[] {
  if (error) throw new TypeError(`The first line is no header. ${error.detail}`)
  const headers = fields.map(plainField)
  const twice = headers.find((header, place) => headers.indexOf(header) !== place && header !== '')
  if (twice !== undefined) throw new TypeError(`The header ${quote(twice)} stands twice.`)
  return headers
}

/** Throws a `TypeError` where the file lacks what somebody named. */
export function checkNeeded(headers: readonly string[], needed: readonly string[]): void {
  const missing = needed.find((header) => !headers.includes(header))
  if (missing !== undefined)
    throw new TypeError(`The file has no header ${quote(missing)}. It has ${headers.map(quote).join(', ')}.`)
}

/** What keeps a record from being one of the header's: broken quotes, or fields without a name. */
export function faultOf(
  { fields, error }: CsvRecord,
  headers: readonly string[],
  delimiter: string,
): Rejection | undefined {
  if (error || fields.length === headers.length) return error
  const counts = `The record has ${fields.length} fields, and the header ${headers.length}`
  const detail = `${counts}. A field that holds ${delimiter === '\t' ? 'a tab' : quote(delimiter)} or a line break stands in quotes.`
  return rejection('invalid_change', detail)
}

/** A delimiter that the only header of a file holds: very likely that of the file. */
export function otherDelimiter(headers: readonly string[], delimiter: string): string | undefined {
  const [first = ''] = headers
  return headers.length === 1
    ? [',', ';', '\t', '|'].find((one) => one !== delimiter && first.includes(one))
    : undefined
}

export const delimiterAdvice = (other: string) =>
  `If fields end with ${other === '\t' ? 'a tab' : quote(other)}, write --delimiter ${other === '\t' ? 'tab' : `'${other}'`}.`

/**
 * The records of a CSV file as they stand there, each an object of texts by header, whatever the
 * headers are but for those that are needed.
 */
export function readCsvRecords(
  blocks: AsyncIterable<string>,
  options: Omit<RecordsOptions, 'nulls'> &
    Pick<RowOptions, 'atHeader' | 'scopeHeader'> & { readonly watch: NumberWatch },
  size: ChunkSize,
): AsyncGenerator<ReadChunk> {
  return readRecordChunks(blocks, options, size, (header, delimiter) => {
    options.watch.isSemicolon = delimiter === ';'
    const headers = readHeaders(header)
    checkNeeded(
      headers,
      [options.atHeader, options.scopeHeader].filter((one) => one !== undefined),
    )
    const other = options.isDelimiterGuessed ? otherDelimiter(headers, delimiter) : undefined
    if (other !== undefined)
      throw new TypeError(
        `The file has one header, ${quote(headers[0] ?? '')}. ${delimiterAdvice(other)} If it has one column, write --delimiter '${delimiter}'.`,
      )
    return (record) => {
      const { line, fields } = record
      const error = faultOf(record, headers, delimiter)
      if (error) return { line, error, source: record }
      // So that a header such as __proto__ is a name like others.
      const value = Object.fromEntries(headers.map((name, place) => [name, plainField(fields[place] ?? '')]))
      return { line, value, source: record }
    }
  })
}
