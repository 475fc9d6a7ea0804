import { couchWrapper, readCouch } from './exports/couchdb.ts'
import { firestoreWrapper, readFirestore } from './exports/firestore.ts'
import { readMongo } from './exports/mongo.ts'
import type { Origin, ReadExported } from './exports/shape.ts'
import type { ElementPath } from './json-elements.ts'

/** How the rows of a JSON file are found: an object in each line, or elements at these paths. */
export interface JsonLayout {
  readonly paths: readonly ElementPath[] | undefined
}

export const readersOf: Readonly<Record<Origin, ReadExported | undefined>> = {
  json: undefined,
  sqlite: undefined,
  mongo: readMongo,
  couchdb: readCouch,
  firestore: readFirestore,
}

/**
 * The layout of a file that somebody said the origin of, by its beginning; or words for one that
 * has none.
 */
export function findLayout(head: string, origin: Origin, table: string): JsonLayout | { readonly words: string } {
  if (head.trimStart().startsWith('[')) return { paths: [['*']] }
  if (origin === 'couchdb' && couchWrapper.test(head))
    return { paths: ['results', 'rows', 'docs'].map((key) => [key, '*']) }
  if (origin === 'firestore' && firestoreWrapper.test(head)) {
    return {
      paths: [
        ['documents', '*'],
        ['__collections__', table, '*'],
      ],
    }
  }
  const [, key, bracket] = /^\s*\{\s*"([^"\\]+)"\s*:\s*([[{])/.exec(head) ?? []
  // Rows in an array, or by their ids, under the name of their table.
  if (key === table) return { paths: [[table, '*']] }
  if (key !== undefined && !hasId(head)) {
    const rows = bracket === '[' ? '[]' : ' | to_entries[] | {id: .key} + .value'
    return { words: `is one JSON object with rows within it. Make lines of them, such as by jq -c '.${key}${rows}'.` }
  }
  // Objects that each stand in more than one line, as jq prints them.
  return { paths: isLine(head) ? undefined : [[]] }
}

/**
 * Whether the first line is an object with an id, or with what may be one: no rows are within it
 * then.
 */
function hasId(head: string): boolean {
  const [line = ''] = head.trimStart().split('\n', 1)
  try {
    return Object.values(JSON.parse(line)).some((value) => typeof value !== 'object')
  } catch {
    return false
  }
}

/** Words for a file of lines that does not look like one: what it is, and which option reads it. */
export function sayJson(head: string): string | undefined {
  const text = head.trimStart()
  const told = sayOrigin(text)
  if (told) return told
  if (text.startsWith('['))
    return `is a JSON array, not an object in each line: add --from json (or make lines of it: jq -c '.[]').`
  if (text.startsWith('{') && !isLine(text))
    return 'is JSON in which an object stands in more than one line. If each object is a row, add --from json; else make a line of each row: jq -c.'
  return undefined
}

function sayOrigin(text: string): string | undefined {
  const found = (program: string, origin: Origin) => `looks like an export of ${program}: add --from ${origin}.`
  const first = text.slice(0, 4096)
  if (/^\[?\s*\{\s*"_id"\s*:\s*\{\s*"\$(oid|uuid|binary|numberLong)"/.test(first)) return found('MongoDB', 'mongo')
  if (couchWrapper.test(first) && /"(results|rows|docs|db_type)"\s*:/.test(first))
    return found('CouchDB or PouchDB', 'couchdb')
  if (/^\[?\s*\{\s*("seq"\s*:.*"changes"\s*:\s*\[|"_id"\s*:\s*"[^"]*"\s*,\s*"_rev"\s*:)/.test(first))
    return found('CouchDB or PouchDB', 'couchdb')
  const isTyped = /"(fields|document)"\s*:\s*\{/.test(first) && /"name"\s*:\s*"projects\//.test(first)
  return firestoreWrapper.test(first) || isTyped ? found('Firestore', 'firestore') : undefined
}

/**
 * Whether the first line that is not empty is a JSON value by itself, or so long that nobody knows.
 */
function isLine(head: string): boolean {
  const text = head.trimStart()
  const end = text.indexOf('\n')
  if (end === -1) return true
  const line = text.slice(0, end)
  try {
    JSON.parse(line)
    return true
  } catch {
    // A broken line is no reason to read the file otherwise: an object over more lines has little
    // in its first.
    return !/^\{\s*("[^"]*"\s*:\s*[^{}]*,?\s*|"[^"]*"\s*:\s*[{[]\s*)?$/.test(line.trimEnd())
  }
}
