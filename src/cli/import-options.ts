import { readStamp } from '../bulk/csv-lines.ts'
import { limits } from '../limits.ts'
import { schema } from '../schema.ts'
import { isName } from '../sync/text.ts'
import { readWords } from './run.ts'

/** What `npm run import` was told. */
export interface ImportOptions {
  /** The file, or `-` for standard input. */
  readonly file: string
  readonly format: 'csv' | 'ndjson'
  readonly gzip: boolean
  readonly table: string | undefined
  readonly scope: string | undefined
  readonly client: string
  /** The stamp of the rows, in microseconds. `now`: when the import begins. */
  readonly at: number | 'now' | undefined
  readonly csv: {
    readonly atHeader: string | undefined
    readonly headers: ReadonlyMap<string, string>
    readonly ignore: readonly string[] | 'others'
    readonly delimiter: string
  }
  /** Digits of times that their columns do not keep are cut. */
  readonly cutDigits: boolean
  /** The file of the rejected lines. */
  readonly rejected: string
  readonly resume: boolean
  readonly anew: boolean
  /** The options as they were given, that an import must have again to go on. */
  readonly given: Readonly<Record<string, string>>
}

const options = {
  table: { type: 'string', help: 'the table of lines that name none, and of all rows' },
  scope: { type: 'string', help: 'the scope of lines that name none' },
  client: { type: 'string', default: 'import', help: 'who wrote the lines that do not say it' },
  at: { type: 'string', help: 'the stamp of the rows: microseconds, a time such as 2026-11-21T09:00:00Z, or now' },
  format: { type: 'string', help: 'csv or ndjson, where the name of the file does not say it' },
  map: { type: 'string', multiple: true, help: 'CSV: column=header, where the two differ' },
  'at-column': { type: 'string', help: "CSV: the header of the rows' own stamps" },
  ignore: { type: 'string', multiple: true, help: 'CSV: a header to pass over' },
  'ignore-others': { type: 'boolean', default: false, help: 'CSV: passes over every header that stands for no column' },
  delimiter: { type: 'string', help: 'CSV: what stands between fields, a character or tab' },
  'cut-digits': {
    type: 'boolean',
    default: false,
    help: 'cuts the digits of a time that its column does not keep',
  },
  rejected: { type: 'string', help: 'where rejected lines go: <file>.rejected.ndjson' },
  resume: { type: 'boolean', default: false, help: 'goes on where an import of this file was stopped' },
  anew: { type: 'boolean', default: false, help: 'begins anew after one was stopped' },
} as const

const csvOptions = ['map', 'at-column', 'ignore', 'ignore-others', 'delimiter'] as const

const help = {
  name: 'npm run import',
  does: 'Takes the rows of a file, CSV or NDJSON, also gzip, into the database of DATABASE_URL.',
  more: 'Exit code 0: all is in. 2: all but what was rejected. 1: it failed. 130: it was stopped.',
}

/** Reads the command line. Throws a `TypeError` that says what to write. */
export function readImportOptions(): ImportOptions {
  const { values, words } = readWords(help, options, ['the file: .csv, .tsv, .ndjson or .jsonl, also .gz, or -'])
  const [file] = words
  if (file === undefined) {
    throw new TypeError('Say what and where to: npm run import -- --table todos --scope alice todos.csv')
  }
  const gzip = file.endsWith('.gz')
  const ending = /\.(\w+)(\.gz)?$/.exec(file)?.[1]?.toLowerCase() ?? ''
  const format = readFormat(values.format, file, ending)
  const { table, scope, client, at, resume, anew } = values
  if (scope !== undefined && !isName(scope, limits.scopeLengthMax)) {
    throw new TypeError(`--scope must be text of 1 to ${limits.scopeLengthMax} characters without control characters`)
  }
  if (resume && anew) throw new TypeError('Say --resume or --anew, not both')
  if (file === '-' && (resume || anew)) throw new TypeError('Standard input cannot be gone on with: give a file')
  const csv = format === 'csv'
  if (csv && scope === undefined) throw new TypeError('Say whose rows they are: --scope alice')
  if (csv && table === undefined) {
    throw new TypeError(`Say what the rows are: --table with one of ${[...schema.tablesByName.keys()].join(', ')}`)
  }
  const odd = csvOptions.find((name) => !csv && values[name])
  if (odd) throw new TypeError(`--${odd} is for CSV. Where that is what comes, write --format csv`)
  if (at !== undefined && values['at-column'] !== undefined) throw new TypeError('Say --at or --at-column, not both')
  const { resume: _, anew: __, rejected: ___, ...rest } = values
  return {
    ...{ file, format, gzip, table, scope, client, resume, anew },
    at: at !== undefined ? readAt(at) : csv && values['at-column'] === undefined ? 'now' : undefined,
    csv: {
      atHeader: values['at-column'],
      headers: readMap(values.map ?? []),
      ignore: values['ignore-others'] ? 'others' : (values.ignore ?? []),
      delimiter: readDelimiter(values.delimiter, ending),
    },
    cutDigits: values['cut-digits'],
    rejected: values.rejected ?? `${file === '-' || file.startsWith('/dev/') ? 'import' : file}.rejected.ndjson`,
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
  if (['ndjson', 'jsonl'].includes(ending)) return 'ndjson'
  throw new TypeError(
    `${file === '-' ? 'Say what comes on standard input' : `The name ${file} does not say what the file holds`}: --format csv, or --format ndjson with a JSON object in each line`,
  )
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
  if (text === 'tab') return '\t'
  if (text.length === 1 && !/["\r\n]/.test(text)) return text
  throw new TypeError("--delimiter must be one character, such as ';', or tab")
}
