import { findEncoding, toUtf8 } from '../../bulk/encoding.ts'
import { sayKind } from '../../bulk/file-kind.ts'
import { findLayout, sayJson } from '../../bulk/json-kind.ts'
import type { ImportInput } from './input-bytes.ts'
import type { ImportOptions } from './options.ts'
import { type ImportSource, openSource } from './source.ts'
import { surveyInput } from './survey.ts'

const headBytes = 64 * 1024
/** So much of what cannot be read twice is looked through before the first row. */
export const surveyedBytes = 1024 * 1024

/**
 * Looks at the beginning, and then through all of it where it is a file, before a row is stored.
 * Throws a `TypeError` that says what the file is, where that is none to import, or where bytes or
 * numbers could mean something else.
 */
export async function prepareInput(options: ImportOptions, source: ImportSource): Promise<ImportInput> {
  const { file, format, from, table = '' } = options
  const name = file === '-' ? 'Standard input' : file
  const isFile = source.size !== undefined
  const { head, isAll, bytes } = await peek(source.bytes, isFile ? headBytes : surveyedBytes)
  const encoding = findEncoding(head, options.encoding, name)
  const words = sayKind(head, options.encoding !== undefined || encoding.mark > 0)
  if (words !== undefined) throw new TypeError(`${name} ${words}`)
  const text = new TextDecoder(encoding.name).decode(head.subarray(0, headBytes))
  if (format === 'ndjson' && isAll && text.trim() === '')
    throw new TypeError(`${name} is empty: there is nothing to import.`)
  const layout = from && findLayout(text, from, table)
  const odd = layout && 'words' in layout ? layout.words : from ? undefined : sayOdd(format, text)
  if (odd !== undefined) throw new TypeError(`${name} ${odd}`)
  const paths = layout && 'paths' in layout ? layout.paths : undefined

  const open = async (again: AsyncIterable<Uint8Array>) => ({ bytes: toUtf8(again, encoding, name), encoding, paths })
  await surveyInput(options, text, () => (isFile ? openAgain(options) : untilLine(head, isAll)), open)
  return open(bytes)
}

function sayOdd(format: ImportOptions['format'], text: string): string | undefined {
  if (format === 'ndjson') return sayJson(text)
  return /^\s*(\[\s*)?\{\s*"/.test(text)
    ? 'is JSON, not CSV: write --format ndjson where an object stands in each line, or --from json.'
    : undefined
}

async function* openAgain({ file, gzip }: ImportOptions): AsyncGenerator<Uint8Array> {
  const source = await openSource(file, gzip)
  try {
    yield* source.bytes
  } finally {
    source.close()
  }
}

/** What has come of a stream, up to its last whole line. */
async function* untilLine(head: Buffer, isAll: boolean): AsyncGenerator<Uint8Array> {
  yield isAll ? head : head.subarray(0, Math.max(head.lastIndexOf(10), head.lastIndexOf(13)) + 1)
}

/** The first bytes, and all of them once more. */
async function peek(source: AsyncIterable<Uint8Array>, wanted: number) {
  const items = source[Symbol.asyncIterator]()
  const seen: Uint8Array[] = []
  let length = 0
  let isAll = false
  while (length < wanted && !isAll) {
    const { value, done } = await items.next()
    if (done) isAll = true
    else {
      seen.push(value)
      length += value.length
    }
  }
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for (let block = seen.shift(); block; block = seen.shift()) yield block
    if (!isAll) yield* { [Symbol.asyncIterator]: () => items }
  }
  return { head: Buffer.concat(seen), isAll, bytes: bytes() }
}
