import type { Cell, Cells, Statement } from '../../sql/statement.ts'

/** Where a libSQL server is: `libsql://…` or `https://…`. */
export interface LibsqlServer {
  readonly url: string
  readonly authToken?: string | undefined
  /** With a deadline, see `fetchWithin`. */
  readonly fetch: typeof fetch
}

/** When a step runs, by how steps before it ended. */
export type Condition =
  | { readonly type: 'ok'; readonly step: number }
  | { readonly type: 'not'; readonly cond: Condition }
  | { readonly type: 'and' | 'or'; readonly conds: readonly Condition[] }

/** One after the other, on one connection. */
export interface Step {
  readonly statement: Pick<Statement, 'sql' | 'params'>
  readonly condition?: Condition
}

/** What became of each step. Neither: its condition did not hold. */
export interface Ends {
  readonly rows: readonly (readonly Cells[] | undefined)[]
  readonly errors: readonly (LibsqlFault | undefined)[]
}

/** What the server or its database said. */
export class LibsqlFault extends Error {
  readonly code: string | undefined
  constructor(message: string, code?: string) {
    super(code === undefined ? message : `${code}: ${message}`)
    this.name = 'LibsqlFault'
    this.code = code
  }
}

/**
 * Sends steps in one request, as Hrana 2 has it over HTTP: the protocol of Turso and sqld, of which
 * driftline needs one kind of request. Their own client brings sockets, transactions and a second
 * encoding, which is a sixth of a worker; a test sends the same by both.
 */
export function openPipeline({ url, authToken, fetch }: LibsqlServer): (steps: readonly Step[]) => Promise<Ends> {
  const address = readAddress(url)
  const token = address.authToken ?? authToken
  const headers = {
    'Content-Type': 'application/json',
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
  }
  return async (steps) => {
    const response = await fetch(address.pipeline, { method: 'POST', headers, body: encode(steps) })
    if (!response.ok) throw new LibsqlFault(`the server answers with status ${response.status}`)
    const { results } = (await response.json()) as { readonly results: readonly Result[] }
    const ended = results.find((one) => one.type === 'error' || one.response.type === 'batch')
    if (!ended) throw new LibsqlFault('the server has no answer for the batch')
    if (ended.type === 'error') throw faultOf(ended.error)
    const { step_results, step_errors } = ended.response.result
    return {
      rows: step_results.map((one) => one?.rows.map((row) => row.map(cellOf))),
      errors: step_errors.map((one) => one && faultOf(one)).map((one) => one ?? undefined),
    }
  }
}

/** `?tls=0` and `?authToken=…` are what the URLs of libSQL may say. */
function readAddress(url: string): { readonly pipeline: string; readonly authToken: string | undefined } {
  const { searchParams } = new URL(url)
  const scheme = searchParams.get('tls') === '0' ? 'http:' : 'https:'
  const base = url.replace(/^libsql:/, scheme).replace(/\?.*$/, '')
  return { pipeline: new URL('v2/pipeline', base).href, authToken: searchParams.get('authToken') ?? undefined }
}

/** A text that comes several times is sent once. */
function encode(steps: readonly Step[]): string {
  const counts = new Map<string, number>()
  for (const { statement } of steps) counts.set(statement.sql, (counts.get(statement.sql) ?? 0) + 1)
  const stored = new Map([...counts].filter(([, count]) => count > 1).map(([sql], place) => [sql, place]))
  const textOf = (sql: string) => (stored.has(sql) ? { sql_id: stored.get(sql) } : { sql })
  const batch = steps.map(({ statement: { sql, params }, condition }) => ({
    ...(condition && { condition }),
    stmt: { ...textOf(sql), args: params.map(toValue), want_rows: true },
  }))
  return JSON.stringify({
    requests: [
      ...[...stored].map(([sql, sql_id]) => ({ type: 'store_sql', sql_id, sql })),
      { type: 'batch', batch: { steps: batch } },
      { type: 'close' },
    ],
  })
}

type Value =
  | { readonly type: 'null' }
  | { readonly type: 'integer' | 'text'; readonly value: string }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'blob'; readonly base64: string }

/** A JavaScript number would be bound as REAL; every number of a statement is an integer. */
function toValue(value: Statement['params'][number]): Value {
  if (value === null) return { type: 'null' }
  return typeof value === 'number' ? { type: 'integer', value: String(value) } : { type: 'text', value }
}

function cellOf(value: Value): Cell {
  if (value.type === 'null') return null
  if (value.type === 'blob') throw new LibsqlFault('a statement gives bytes')
  return value.type === 'integer' ? Number(value.value) : value.value
}

type Result =
  | { readonly type: 'error'; readonly error: Said }
  | { readonly type: 'ok'; readonly response: { readonly type: string; readonly result: BatchResult } }
interface BatchResult {
  readonly step_results: readonly ({ readonly rows: readonly (readonly Value[])[] } | null)[]
  readonly step_errors: readonly (Said | null)[]
}
interface Said {
  readonly message: string
  readonly code?: string | null
}

const faultOf = ({ message, code }: Said) => new LibsqlFault(message, code ?? 'UNKNOWN')
