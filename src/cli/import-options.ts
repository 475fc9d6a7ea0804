import { readStamp } from '../bulk/csv-lines.ts'
import { booleanWords, type FieldRules } from '../bulk/csv-value.ts'
import { readEncoding } from '../bulk/encoding.ts'
import type { Origin } from '../bulk/exports/shape.ts'
import { readersOf } from '../bulk/json-kind.ts'
import { isSpace, type NumberForm, plainNumbers } from '../bulk/number-text.ts'
import type { RowWish } from '../bulk/row-wish.ts'
import { limits } from '../limits.ts'
import { schema } from '../schema.ts'
import { isName } from '../sync/text.ts'
import { importHelp } from './import-help.ts'
import { readWords } from './run.ts'

/** What `npm run import` was told. */
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
  /** How records, or lines that are rows, become rows of the table. Nothing where lines are changes. */
  readonly rows: (Omit<RowWish, 'table' | 'at'> & { readonly rules: FieldRules; readonly isLoose: boolean }) | undefined
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
}

const options = {
  table: { type: 'string' },
  scope: { type: 'string' },
  'scope-column': { type: 'string' },
  client: { type: 'string', default: 'import' },
  at: { type: 'string' },
  'at-column': { type: 'string' },
  format: { type: 'string' },
  from: { type: 'string' },
  encoding: { type: 'string' },
  delimiter: { type: 'string' },
  map: { type: 'string', multiple: true },
  ignore: { type: 'string', multiple: true },
  'ignore-others': { type: 'boolean', default: false },
  decimal: { type: 'string' },
  group: { type: 'string' },
  null: { type: 'string', multiple: true },
  'empty-as-text': { type: 'boolean', default: false },
  true: { type: 'string', multiple: true },
  false: { type: 'string', multiple: true },
  check: { type: 'boolean', default: false },
  rejected: { type: 'string' },
  resume: { type: 'boolean', default: false },
  anew: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** Options that say how values are written: with one of them JSON may write them as CSV does. */
const valueOptions = ['decimal', 'group', 'null', 'true', 'false'] as const
/** Options that only rows have, which are what lines hold then. */
const rowOptions = ['scope-column', 'at-column', 'map', 'ignore', 'ignore-others', ...valueOptions] as const
const csvOptions = ['delimiter', 'empty-as-text'] as const

/** Reads the command line, or gives nothing where it asked for help, which is printed. Throws a `TypeError` that says what to write. */
export function readImportOptions(): ImportOptions | undefined {
  const { values, words } = readWords(options, ['the file: .csv, .tsv, .ndjson, .jsonl or .json, also .gz, or -'])
  if (values.help) {
    console.log(importHelp)
    return undefined
  }
  const [file] = words
  if (file === undefined) {
    throw new TypeError('Say what and where to: npm run import -- --table todos --scope alice todos.csv')
  }
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
  const areRows = csv || from !== undefined || at !== undefined || rowOptions.some((name) => values[name])
  const saysRows = areRows && (csv || at === undefined)
  if (saysRows && scope === undefined && scopeHeader === undefined)
    throw new TypeError('Say whose rows they are: --scope alice')
  if (saysRows && table === undefined) {
    throw new TypeError(`Say what the rows are: --table with one of ${[...schema.tablesByName.keys()].join(', ')}`)
  }
  const isLoose = csv || from !== undefined || valueOptions.some((name) => values[name])
  const { resume: _, anew: __, rejected: ___, check: ____, ...rest } = values
  const rejected = values.rejected ?? `${file === '-' || file.startsWith('/dev/') ? 'import' : file}.rejected.ndjson`
  const rowsEnding = !csv ? 'lines.ndjson' : ending === 'tsv' ? 'tsv' : 'csv'
  return {
    ...{ file, format, from, gzip, table, scope, client, resume, anew, check, rejected },
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
      Object.entries({ ...rest, format }).flatMap(([name, value]) =>
        value === undefined || value === false ? [] : [[`--${name}`, String(value)]],
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
