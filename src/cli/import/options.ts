import { readStamp } from '../../bulk/csv/lines.ts'
import { isSpace, type NumberForm, plainNumbers } from '../../bulk/csv/number-text.ts'
import { booleanWords, type FieldRules } from '../../bulk/csv/value.ts'
import { readEncoding } from '../../bulk/encoding.ts'
import type { Origin } from '../../bulk/exports/shape.ts'
import { readersOf } from '../../bulk/json-kind.ts'
import type { RowOptions } from '../../bulk/row-options.ts'
import { limits } from '../../model/limits.ts'
import { isName } from '../../model/text.ts'
import type { App, LoadApp } from '../app.ts'
import { readWords } from '../command.ts'
import { loadMapFile, type MapFile } from './map-file.ts'

/** What `npx driftline import` was told. */
export interface ImportOptions {
  /** The file, or `-` for standard input. */
  readonly file: string
  readonly format: 'csv' | 'ndjson'
  /** The program that JSON comes from, where it is no row or change in each line. */
  readonly from: Origin | undefined
  readonly gzip: boolean
  /** By the name of TextDecoder, where it was said. */
  readonly encoding: string | undefined
  readonly table: string | undefined
  readonly scope: string | undefined
  readonly client: string
  /** The stamp of the rows, in microseconds. `now`: when the import begins. */
  readonly at: number | 'now' | undefined
  /** Digits of times that their columns do not keep are cut. */
  readonly cutDigits: boolean
  /**
   * How records, or lines that are rows, become rows of the table. Nothing where lines are changes.
   */
  readonly rows:
    | (Omit<RowOptions, 'table' | 'at'> & { readonly rules: FieldRules; readonly isLoose: boolean })
    | undefined
  /** Makes the rows of the records. */
  readonly mapping: MapFile | undefined
  readonly csv: { readonly delimiter: string; readonly isDelimiterGuessed: boolean }
  /** The file of the rejected lines with what is wrong with them, and that of them as they came. */
  readonly rejected: string
  readonly rejectedRows: string
  readonly resume: boolean
  readonly anew: boolean
  /** Reads all of it and stores nothing. */
  readonly check: boolean
  /** The options as they were given, that an import must have again to go on. */
  readonly given: Readonly<Record<string, string>>
  /** The project whose tables they are. */
  readonly app: App
}

const options = {
  table: { type: 'string', help: 'the table of all rows, and of lines that name none' },
  scope: { type: 'string', help: 'the scope of all rows, and of lines that name none' },
  'scope-column': { type: 'string', help: 'the column of the file that says the scope of each row' },
  client: { type: 'string', default: 'import', help: 'who wrote the rows that do not say it' },
  at: {
    type: 'string',
    help: 'rows, not changes, and their stamp: now (as CSV has), a time such as 2026-11-21T09:00:00Z, or microseconds',
  },
  'at-column': { type: 'string', help: 'the column of the file that says the stamp of each row' },
  format: { type: 'string', help: 'csv or ndjson, where the name of the file does not say so' },
  from: {
    type: 'string',
    help: 'JSON of another program: json (an array, or objects whose values are written as text), sqlite (sqlite3 -json), mongo (mongoexport), couchdb (_changes, _all_docs, PouchDB), firestore',
  },
  encoding: {
    type: 'string',
    help: 'what it is written in, where it has no byte order mark and is not UTF-8: any name of TextDecoder, such as windows-1252',
  },
  delimiter: { type: 'string', help: 'CSV: what fields end with, a character or tab; a first line sep=; says it too' },
  map: {
    type: 'string',
    multiple: true,
    help: 'title=name: the column name of the file is title of the table; id=key for the id',
  },
  'map-with': {
    type: 'string',
    help: 'a file, such as ./users.ts, whose default export (record) => row | null makes the row of each record',
  },
  ignore: { type: 'string', multiple: true, help: 'a column of the file to pass over' },
  'ignore-others': {
    type: 'boolean',
    default: false,
    help: 'passes over all columns of the file that stand for nothing',
  },
  decimal: {
    type: 'string',
    help: ', where numbers have a decimal comma, and points between thousands if --group says nothing else',
  },
  group: { type: 'string', help: "what stands between thousands: . , ' _ or space" },
  null: { type: 'string', multiple: true, help: 'a text that is null, where no quotes are around it' },
  'empty-as-text': {
    type: 'boolean',
    default: false,
    help: 'CSV: an empty field of a text column is empty text. Without it that is null, and "" is empty text',
  },
  'cut-digits': { type: 'boolean', default: false, help: 'cuts the digits of a time that its column does not keep' },
  true: { type: 'string', multiple: true, help: 'a word for true, beside true, t and 1' },
  false: { type: 'string', multiple: true, help: 'a word for false, beside false, f and 0' },
  check: {
    type: 'boolean',
    default: false,
    help: 'reads all, stores nothing, and says what would be rejected. The database is not asked',
  },
  rejected: {
    type: 'string',
    help: 'where rejected lines go, with what is wrong; beside it they are as they came (<file>.rejected.ndjson)',
  },
  resume: { type: 'boolean', default: false, help: 'goes on where an import of this file was stopped' },
  anew: { type: 'boolean', default: false, help: 'begins anew after one was stopped' },
} as const

/** Options that say how values are written: with one of them JSON may write them as CSV does. */
const valueOptions = ['decimal', 'group', 'null', 'true', 'false'] as const
/** Options that only rows have, which are what lines hold then. */
const rowOptions = ['scope-column', 'at-column', 'map', 'map-with', 'ignore', 'ignore-others', ...valueOptions] as const
const csvOptions = ['delimiter', 'empty-as-text'] as const
/** What a mapping says itself. */
const mappedOptions = ['map', 'ignore', 'ignore-others', 'empty-as-text'] as const

const help = {
  name: 'npx driftline import',
  does: 'Takes the rows of a file into the database of DATABASE_URL: .csv, .tsv, .ndjson, .jsonl or .json, each also .gz, or -\nfor standard input. Each row is answered as in a push; what is rejected goes to a file of its own.',
  more: `A file is looked through before its first row is stored: bytes that are not in its encoding, or numbers that could mean
two things, end it at once. Of standard input that is the first MiB, and the rest as it comes.
Exit code 0: all is in; 2: all but what was rejected; 1: it failed; 130: stopped.`,
}

/** Reads the command line. Throws a `TypeError` that says what to write. */
export async function readImportOptions(loadApp: LoadApp): Promise<ImportOptions> {
  const { values, words } = readWords(help, options, ['the file: .csv, .tsv, .ndjson, .jsonl or .json, also .gz, or -'])
  const [file] = words
  if (file === undefined) {
    throw new TypeError('Say what and where to: npx driftline import --table todos --scope alice todos.csv')
  }
  const app = await loadApp()
  const gzip = file.endsWith('.gz')
  const ending = /\.(\w+)(\.gz)?$/.exec(file)?.[1]?.toLowerCase() ?? ''
  const from = readOrigin(values.from)
  const format = from && values.format === undefined ? 'ndjson' : readFormat(values.format, file, ending)
  const { table, scope, client, at, resume, anew, check } = values
  const scopeHeader = values['scope-column']
  const atHeader = values['at-column']
  const csv = format === 'csv'
  if (csv && from) throw new TypeError(`--from ${from} is for JSON: leave out --format csv`)
  if (scope !== undefined && !isName(scope, limits.scopeLengthMax)) {
    throw new TypeError(`--scope must be text of 1 to ${limits.scopeLengthMax} characters without control characters`)
  }
  if (scope !== undefined && scopeHeader !== undefined) throw new TypeError('Say --scope or --scope-column, not both')
  if (resume && anew) throw new TypeError('Say --resume or --anew, not both')
  if (check && resume) throw new TypeError('--check begins at the start and stores nothing: leave out --resume')
  if (file === '-' && (resume || anew)) throw new TypeError('Standard input cannot be gone on with: give a file')
  const odd = csvOptions.find((name) => !csv && values[name])
  if (odd) throw new TypeError(`--${odd} is for CSV. Where that is what comes, write --format csv`)
  if (at !== undefined && atHeader !== undefined) throw new TypeError('Say --at or --at-column, not both')
  const withFile = values['map-with']
  const mapped = mappedOptions.find((name) => withFile !== undefined && values[name])
  if (mapped) throw new TypeError(`Say --${mapped} or --map-with, not both: what the mapping gives is the row`)
  const areRows = csv || from !== undefined || at !== undefined || rowOptions.some((name) => values[name])
  const saysRows = areRows && (csv || at === undefined)
  // A mapping may say whose each row is.
  if (saysRows && scope === undefined && scopeHeader === undefined && withFile === undefined)
    throw new TypeError('Say whose rows they are: --scope alice')
  if (saysRows && table === undefined) {
    throw new TypeError(`Say what the rows are: --table with one of ${[...app.schema.tablesByName.keys()].join(', ')}`)
  }
  const mapping = withFile === undefined ? undefined : await loadMapFile(withFile)
  const isLoose = csv || from !== undefined || valueOptions.some((name) => values[name])
  const { resume: _, anew: __, rejected: ___, check: ____, ...rest } = values
  const rejected = values.rejected ?? `${file === '-' || file.startsWith('/dev/') ? 'import' : file}.rejected.ndjson`
  const rowsEnding = !csv ? 'lines.ndjson' : ending === 'tsv' ? 'tsv' : 'csv'
  return {
    ...{ app, file, format, from, gzip, table, scope, client, resume, anew, check, rejected, mapping },
    cutDigits: values['cut-digits'],
    encoding: values.encoding === undefined ? undefined : readEncoding(values.encoding),
    at: at !== undefined ? readAt(at) : areRows && atHeader === undefined ? 'now' : undefined,
    rows: !areRows
      ? undefined
      : {
          ...{ atHeader, scopeHeader, isLoose },
          headers: readMap(values.map ?? []),
          ignore: values['ignore-others'] ? 'others' : (values.ignore ?? []),
          rules: {
            nulls: new Set(values.null ?? []),
            emptyAsText: values['empty-as-text'],
            numbers: readNumberForm(values.decimal, values.group),
            booleans: readBooleans(values.true ?? [], values.false ?? []),
          },
        },
    csv: { delimiter: readDelimiter(values.delimiter, ending), isDelimiterGuessed: values.delimiter === undefined },
    rejectedRows: `${rejected.replace(/\.(ndjson|jsonl|json)$/, '')}.${rowsEnding}`,
    given: Object.fromEntries(
      Object.entries({ ...rest, format, ...(mapping && { 'map-with': `${withFile} (${mapping.identity})` }) }).flatMap(
        ([name, value]) => (value === undefined || value === false ? [] : [[`--${name}`, String(value)]]),
      ),
    ),
  }
}

function readFormat(format: string | undefined, file: string, ending: string): 'csv' | 'ndjson' {
  if (format === 'csv' || format === 'ndjson') return format
  if (format !== undefined) throw new TypeError('--format must be csv or ndjson')
  if (['csv', 'tsv'].includes(ending)) return 'csv'
  if (['ndjson', 'jsonl', 'json'].includes(ending)) return 'ndjson'
  throw new TypeError(
    `${file === '-' ? 'Say what comes on standard input' : `The name ${file} does not say what the file holds`}: --format csv, or --format ndjson with a JSON object in each line`,
  )
}

function readOrigin(name: string | undefined): Origin | undefined {
  if (name === undefined || Object.hasOwn(readersOf, name)) return name as Origin | undefined
  throw new TypeError(`--from must be one of ${Object.keys(readersOf).join(', ')}`)
}

function readAt(text: string): number | 'now' {
  if (text === 'now') return 'now'
  const at = readStamp(text)
  if (typeof at === 'number') return at
  throw new TypeError('--at must be microseconds since 1970, a time such as 2026-11-21T09:00:00Z, or now')
}

function readMap(pairs: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (const pair of pairs) {
    const [, column, header] = /^([^=]+)=(.+)$/s.exec(pair) ?? []
    if (column === undefined || header === undefined) throw new TypeError('Write --map column=header')
    if (headers.has(column)) throw new TypeError(`--map ${column}=… stands twice`)
    headers.set(column, header)
  }
  return headers
}

function readDelimiter(text: string | undefined, ending: string): string {
  if (text === undefined) return ending === 'tsv' ? '\t' : ','
  if (text === 'tab' || text === '\\t') return '\t'
  if (text.length === 1 && !/["\r\n]/.test(text)) return text
  throw new TypeError("--delimiter must be one character, such as ';', or tab")
}

/** A decimal comma goes with points between thousands, where nothing else is said. */
function readNumberForm(decimal: string | undefined, groupWord: string | undefined): NumberForm {
  if (decimal === undefined && groupWord === undefined) return plainNumbers
  const group = groupWord === 'space' ? ' ' : groupWord
  const sign = decimal ?? (group === '.' ? ',' : '.')
  if (sign !== '.' && sign !== ',') throw new TypeError('--decimal must be , or .')
  if (group !== undefined && !/^[.,'\u2019_]$/.test(group) && !isSpace(group))
    throw new TypeError(`--group must be one of . , ' _ and space`)
  if (sign === group) throw new TypeError(`--decimal and --group cannot both be ${sign}`)
  return { decimal: sign, group: group ?? (sign === ',' ? '.' : undefined), isTold: true }
}

function readBooleans(trues: readonly string[], falses: readonly string[]): ReadonlyMap<string, boolean> {
  const lower = (words: readonly string[]) => words.map((word) => word.toLowerCase())
  const twice = lower(trues).find((word) => lower(falses).includes(word))
  if (twice !== undefined) throw new TypeError(`--true ${twice} and --false ${twice} cannot both be`)
  return new Map([
    ...booleanWords,
    ...lower(trues).map((word) => [word, true] as const),
    ...lower(falses).map((word) => [word, false] as const),
  ])
}
