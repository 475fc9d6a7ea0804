import { rejection } from '../model/errors.ts'
import { PayloadFault } from '../model/payload-fault.ts'
import { isObject } from '../model/untrusted.ts'
import type { NumberWatch } from './csv/number-text.ts'
import { isThenable, type MapLine, type MappedLine, mapChunks } from './map-chunks.ts'
import type { ReadChunk } from './ndjson.ts'
import {
  changeReader,
  deletion,
  type JsonRowOptions,
  keyOf,
  lacks,
  type OwnPlace,
  readRecord,
  toStamp,
} from './row-lines.ts'
import { idToText } from './row-values.ts'

/**
 * A mapping of somebody's own, by JavaScript: gets a record as it stands in the input, and gives
 * its row, an `ImportRow`, or null to pass it over.
 */
export type MapRecord = (record: unknown) => unknown

/**
 * The lines of a file by a mapping of its records. What it gives is read as a row of the file is,
 * and has a scope and a stamp of its own where it says so; without, those of the options. What it
 * throws, or gives that is no row, rejects that line alone. `after`: no line up to this is mapped.
 */
export async function* readMappedLines(
  chunks: AsyncIterable<ReadChunk>,
  map: MapRecord,
  options: JsonRowOptions,
  { watch, after }: { readonly watch: NumberWatch; readonly after?: number | undefined },
): AsyncGenerator<ReadChunk> {
  for await (const chunk of mapChunks(chunks, rowMapper(map, options, watch), after)) {
    watch.check()
    yield chunk
  }
}

function rowMapper(map: MapRecord, options: JsonRowOptions, watch: NumberWatch): MapLine {
  const { table, at: atAll, atHeader, scopeHeader, read } = options
  const hasStampColumn = table.places.has('at')
  const ignore = hasStampColumn ? ['scope'] : ['scope', 'at']
  const plain = { ...options, ignore, atHeader: undefined, scopeHeader: undefined, read: undefined }
  const toChange = changeReader(plain, watch)

  return (line) => {
    const { value } = line
    watch.line = line.line
    if (!read && isStreamLine(value)) return undefined
    const exported = read || isObject(value) ? readRecord(value, keyOf(line), read) : { row: value }
    if ('skipped' in exported) return undefined
    if ('fault' in exported) return fault(exported.fault)
    if ('deleted' in exported) return toLine(deletion(options, exported.deleted))
    const record: unknown = exported.row
    // A mapping may change the record, so what is needed of it is taken before.
    const own = isObject(record) ? record : {}
    for (const header of [atHeader, scopeHeader])
      if (header !== undefined && !Object.hasOwn(own, header)) return lacks(header)
    const of: OwnPlace = {
      at: atHeader === undefined ? atAll : toStamp(own[atHeader]),
      scope: scopeHeader === undefined ? undefined : idToText(own[scopeHeader]),
    }
    try {
      const given = map(record)
      if (!isThenable(given)) return toRow(given, of)
      return Promise.resolve(given)
        .then((row) => toRow(row, of))
        .catch(thrown)
    } catch (error) {
      return thrown(error)
    }
  }

  function toRow(given: unknown, of: OwnPlace): MappedLine {
    if (given === null) return { changes: [] }
    if (!isObject(given)) return fault(sayNoRow(given))
    const { scope = of.scope, at = of.at } = given
    return toLine(toChange(given, { scope, at: hasStampColumn ? of.at : toStamp(at) }))
  }
}

const toLine = (read: ReturnType<typeof deletion>): MappedLine => ('error' in read ? read : { changes: [read.value] })

/** A line of an export that holds no change. A record with more beside is somebody's own. */
function isStreamLine(value: unknown): boolean {
  if (!isObject(value)) return false
  const names = Object.keys(value)
  if (names.length === 1) return typeof value.rows === 'number'
  return (
    typeof value.more === 'boolean' &&
    names.every((name) => name === 'cursor' || name === 'more' || name === 'removed_scopes')
  )
}

function sayNoRow(given: unknown): string {
  const what = given === undefined ? 'nothing' : Array.isArray(given) ? 'an array' : 'no object'
  return `The mapping gave ${what}. It must give a row, an object with its id and columns, or null to pass the record over.`
}

/**
 * What was thrown, in its own words: whoever wrote the mapping reads it. A long message is cut, and
 * one that goes over lines becomes one.
 */
function thrown(error: unknown): MappedLine {
  if (error instanceof PayloadFault) return fault(`The mapping does not take this record: ${cut(error.message)}`)
  const words = error instanceof Error ? `${error.name}: ${error.message}` : typeof error
  return fault(`The mapping threw ${typeof error === 'string' ? JSON.stringify(cut(error)) : cut(words)}.`)
}

const lengthMax = 300
const cut = (text: string) => {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > lengthMax ? `${line.slice(0, lengthMax)}…` : line
}

const fault = (detail: string) => ({ error: rejection('invalid_change', detail) })
