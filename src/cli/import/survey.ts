import { NumberWatch } from '../../bulk/csv/number-text.ts'
import { limits } from '../../model/limits.ts'
import { readChunks } from './chunks.ts'
import type { ImportInput } from './input-bytes.ts'
import type { ImportOptions } from './options.ts'

type Open = (bytes: AsyncIterable<Uint8Array>) => Promise<ImportInput>

/**
 * Reads a file, or the beginning of a stream, before the first row of it is stored: whether its
 * bytes are what they are taken for, and whether its numbers can mean two things. Records are read
 * only where its text holds what could: a pass over the bytes costs a hundredth of the import. What
 * a mapping makes of them is looked at as it comes, since a mapping gets each record once.
 */
export async function surveyInput(
  options: ImportOptions,
  head: string,
  again: () => AsyncIterable<Uint8Array>,
  open: Open,
): Promise<void> {
  const mayDoubt = doubtFinder(options, head)
  let isDoubtful = false
  try {
    const { bytes } = await open(again())
    let before = ''
    for await (const block of bytes) {
      if (!mayDoubt || isDoubtful) continue
      const text = before + Buffer.from(block.buffer, block.byteOffset, block.length).toString('latin1')
      isDoubtful = mayDoubt(text)
      before = text.slice(-overlap)
    }
    if (!isDoubtful) return
    const watch = new NumberWatch()
    const size = { linesMax: limits.importLinesMax, textMax: limits.importTextMax }
    for await (const _ of readChunks(options, await open(again()), 0, size, { watch }));
    watch.check(true)
  } catch (fault) {
    // What else is wrong with the file is said by the import, after what can be read of it.
    if (fault instanceof TypeError) throw fault
  }
}

const overlap = 64

/** Whether a text may hold numbers that mean either. Nothing where no number of the table can. */
function doubtFinder(
  { app, format, csv, rows, table, mapping }: ImportOptions,
  head: string,
): ((text: string) => boolean) | undefined {
  const columns = app.schema.tablesByName.get(table ?? '')?.columns ?? []
  const types: readonly string[] = columns.map(({ type }) => type)
  if (!rows || mapping || rows.rules.numbers.isTold || (format === 'ndjson' && !rows.isLoose)) return undefined
  if (!types.some((type) => type === 'real' || type === 'decimal')) return undefined
  const told = /^"?sep=([^\r\n])/i.exec(head)?.[1]
  const isComma = format === 'ndjson' || (told ?? csv.delimiter) === ','
  const comma = isComma ? /"[^\d",\n]{0,4}[\d.'\s]*\d,\d|\d\.\d{3}\.\d{3}/ : /\d,\d|\d\.\d{3}\.\d{3}/
  // A point in a column of integers tells too, where the file has one.
  const integers = columns.filter(({ type }) => type === 'integer').map(({ name }) => rows.headers.get(name) ?? name)
  let hasComma = integers.some((header) => head.includes(header)) || (told ?? csv.delimiter) === ';'
  let hasEither = false
  return (text) => {
    // The short form is found fast, and is seldom there.
    hasEither ||= /\.\d{3}[^\d.]/.test(text) && /(?:^|[^\d.])[1-9]\d{0,2}\.\d{3}(?![\d.])/.test(text)
    hasComma ||= comma.test(text)
    return hasEither && hasComma
  }
}
