import type { Context } from 'hono'
import { parseCursor } from '../model/cursor.ts'
import type { Cursor } from '../model/cursor-entry.ts'
import type { Schema } from '../model/table.ts'
import { isObject, quote } from '../model/untrusted.ts'
import { viewOf } from '../model/view.ts'
import { noteCaller } from '../observe/facts.ts'
import type { CountScopes } from '../sync/pull/count.ts'
import type { Operations } from '../sync/sync.ts'
import { pullToBytes } from '../wire/answer.ts'
import { decodeColumns, decodeLimit, malformed, type PullRequest } from '../wire/request.ts'
import { accepts, encodingsOf } from './accepts.ts'
import type { Arrive } from './arrive.ts'
import type { Authenticate } from './auth.ts'
import { readJson } from './body.ts'
import type { Env } from './env.ts'
import { streamPages } from './stream.ts'
import type { Streams } from './streams.ts'
import { streamTag } from './tag.ts'
import { jsonType, linesType } from './types.ts'

/**
 * Compresses a stream. Node's own also flushes, so that what the client has by then goes on from
 * the last page.
 */
export type Gzip = () => {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

export interface PullOptions {
  readonly schema: Schema
  readonly authenticate: Authenticate
  readonly pull: Operations['pull']
  readonly arrive: Arrive
  readonly countScopes: CountScopes
  readonly streams: Streams
  readonly gzip?: Gzip | undefined
}

/**
 * `GET /v1/pull?cursor=…&limit=…&columns=…&count=…`, or `POST /v1/pull` with the four in a JSON
 * body where a cursor is longer than a URL may be: one page, or with `Accept: application/x-ndjson`
 * all of them as a stream.
 */
export function pullHandler({
  schema,
  authenticate,
  pull,
  arrive,
  countScopes,
  streams,
  gzip = standardGzip,
}: PullOptions) {
  const shapeOf = (columns: PullRequest['columns']) => JSON.stringify(viewOf(schema, columns))
  return async (context: Context<Env>): Promise<Response> => {
    const { req } = context
    const facts = context.get('facts')
    facts.operation = 'pull'
    // 1 Who calls, and which scopes that grants.
    const principal = await authenticate(req.header('authorization'))
    noteCaller(facts, principal)
    // 2 From where, and in which form.
    const { cursor, limit, columns, count } = await decodePull(context, arrive)
    const pullFrom = (from: Cursor | null) => pull(principal, { cursor: from, limit, columns }, { facts })
    if (!accepts(req.header('accept'), 'application/x-ndjson')) {
      const headers = { 'Content-Type': jsonType, Vary: 'Accept' }
      // Before the page: what it brings is counted, and what is written meanwhile may be.
      const counted = count ? { rows: (await countScopes(principal, cursor, facts, true, columns)).rows } : {}
      return new Response(pullToBytes({ ...(await pullFrom(cursor)), ...counted }), { headers })
    }
    // 3 What the client holds already is not sent again, and costs the heads of the scopes. A proxy
    // may have made the tag strong.
    const headers: Record<string, string> = { 'Cache-Control': 'private, no-cache', Vary: 'Accept, Accept-Encoding' }
    const look = async (counts: boolean) => {
      const { heads, rows } = await countScopes(principal, cursor, facts, counts, columns)
      const tag = await streamTag(shapeOf(columns), heads, cursor, limit)
      // Nothing caches the answer to a POST.
      if (req.method !== 'POST') headers.ETag = tag
      return { tag, rows }
    }
    const held = req.method === 'POST' ? undefined : req.header('if-none-match')
    if (held !== undefined) {
      const { tag } = await look(false)
      if (held.includes(tag.slice(2))) return new Response(null, { status: 304, headers })
    }
    // 4 The heads are read before the rows, so the tag never promises more than the stream holds.
    // From here on the answer
    // is one, however long it takes: it may outlive its token.
    const place = streams.open(principal.subject)
    let body: ReadableStream<Uint8Array> | null = null
    try {
      const { rows } = await look(true)
      const first = await pullFrom(cursor)
      // A HEAD has no body, which nobody would ever read to its end.
      if (req.method !== 'HEAD')
        body = streamPages({ rows, first, pull: pullFrom, facts, place, idleMsMax: streams.idleMsMax })
    } finally {
      if (!body) place.leave()
    }
    headers['Content-Type'] = linesType
    if (!accepts(encodingsOf(req), 'gzip')) return new Response(body, { headers })
    headers['Content-Encoding'] = 'gzip'
    // Workers would compress it once more. To Node the member means nothing.
    const manual: ResponseInit & { encodeBody: 'manual' } = { headers, encodeBody: 'manual' }
    return new Response(body?.pipeThrough(gzip()), manual)
  }
}

/** Its type wants more of a chunk's buffer than bytes. */
const standardGzip = () => new CompressionStream('gzip') as unknown as ReturnType<Gzip>

async function decodePull(context: Context<Env>, arrive: Arrive): Promise<PullRequest> {
  const { req } = context
  const queries = req.queries()
  if (req.method !== 'POST') return decodeQuery(queries)
  if (Object.keys(queries).length > 0)
    throw malformed('A pull by POST has no parameters: its body has cursor, limit, columns and count.')
  const { value } = await readJson(req.raw.headers, arrive(context))
  if (!isObject(value)) throw malformed('The body must be a JSON object.')
  for (const member of Object.keys(value)) {
    if (!pullMembers.includes(member))
      throw malformed(`A pull has no member ${quote(member)}. It has cursor, limit, columns and count.`)
  }
  const { cursor = null, limit, columns, count = false } = value
  if (cursor !== null && typeof cursor !== 'string') throw malformed('"cursor" must be text or null.')
  if (typeof count !== 'boolean') throw malformed('"count" must be true or false.')
  return {
    cursor: cursor === null ? null : parseCursor(cursor),
    limit: decodeLimit(limit),
    columns: decodeColumns(columns),
    count,
  }
}

const pullMembers = ['cursor', 'limit', 'columns', 'count']

/**
 * What `URLSearchParams` makes of a cursor that there is not yet. Nothing that is handed out looks
 * like one of these.
 */
const noCursor: readonly (string | undefined)[] = [undefined, '', 'null', 'undefined']

function decodeQuery(queries: Record<string, string[]>): PullRequest {
  for (const [name, values] of Object.entries(queries)) {
    if (!pullMembers.includes(name))
      throw malformed(`A pull has no parameter ${quote(name)}. It has cursor, limit, columns and count.`)
    if (values.length > 1) throw malformed(`The parameter ${name} may stand once.`)
  }
  const [cursor] = queries.cursor ?? []
  const [limit] = queries.limit ?? []
  const [columns] = queries.columns ?? []
  const [count = 'false'] = queries.count ?? []
  if (count !== 'true' && count !== 'false') throw malformed('"count" must be true or false.')
  return {
    cursor: cursor === undefined || noCursor.includes(cursor) ? null : parseCursor(cursor),
    limit: decodeLimit(limit === undefined ? undefined : /^\d{1,9}$/.test(limit) ? Number(limit) : Number.NaN),
    columns: decodeColumns(columns === undefined ? undefined : parseJson(columns)),
    count: count === 'true',
  }
}

/** Null where it is no JSON, as nothing that a parameter may be. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
