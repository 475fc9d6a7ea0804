import type { Context } from 'hono'
import { answerToJson, answerToLines, rowsLine } from '../answer.ts'
import type { TakeCensus } from '../census.ts'
import { type Facts, noteCaller, type StreamEnd } from '../facts.ts'
import type { RunSync, SyncAnswer } from '../run.ts'
import { quote } from '../sync/change.ts'
import { type Cursor, parseCursor } from '../sync/cursor.ts'
import { decodeLimit, malformed } from '../sync/request.ts'
import type { Schema } from '../sync/table.ts'
import type { Authenticate } from './auth.ts'
import type { Env } from './env.ts'
import { streamTag } from './tag.ts'
import { jsonType, linesType } from './types.ts'

/** Compresses a stream. Node's own also flushes, so that what the client has by then goes on from the last page. */
export type Gzip = () => {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

export interface PullOptions {
  readonly schema: Schema
  readonly authenticate: Authenticate
  readonly run: RunSync
  readonly takeCensus: TakeCensus
  readonly gzip?: Gzip | undefined
}

/** `GET /v1/pull?cursor=…&limit=…`: one page, or with `Accept: application/x-ndjson` all of them as a stream. */
export function pullHandler({ schema, authenticate, run, takeCensus, gzip = standardGzip }: PullOptions) {
  const shape = JSON.stringify(schema)
  return async (context: Context<Env>): Promise<Response> => {
    const { req } = context
    const facts = context.get('facts')
    facts.operation = 'pull'
    // 1 Who calls, and which scopes that grants.
    const principal = await authenticate(req.header('authorization'))
    noteCaller(facts, principal)
    // 2 From where, and in which form.
    const { cursor, limit } = decodeQuery(req.queries())
    const pull = (from: Cursor | null) =>
      run(principal, { client: '', changes: [], atomic: false, return: 'all', cursor: from, limit }, facts)
    if (!accepts(req.header('accept'), 'application/x-ndjson')) {
      const headers = { 'Content-Type': jsonType, Vary: 'Accept' }
      return new Response(answerToJson(await pull(cursor), 'pull'), { headers })
    }
    // 3 What the client holds already is not sent again, and costs the heads of the scopes. A proxy may have made the tag strong.
    const headers: Record<string, string> = { 'Cache-Control': 'private, no-cache', Vary: 'Accept, Accept-Encoding' }
    const look = async (counts: boolean) => {
      const { heads, rows } = await takeCensus(principal, cursor, facts, counts)
      const tag = await streamTag(shape, heads, cursor, limit)
      headers.ETag = tag
      return { tag, rows }
    }
    const held = req.header('if-none-match')
    if (held !== undefined) {
      const { tag } = await look(false)
      if (held.includes(tag.slice(2))) return new Response(null, { status: 304, headers })
    }
    // 4 The heads are read before the rows, so the tag never promises more than the stream holds.
    const { rows } = await look(true)
    const first = await pull(cursor)
    // A HEAD has no body, which nobody would ever read to its end.
    const body = req.method === 'HEAD' ? null : streamPages(rows, first, pull, facts)
    headers['Content-Type'] = linesType
    if (!accepts(encodingsOf(req), 'gzip')) return new Response(body, { headers })
    headers['Content-Encoding'] = 'gzip'
    // Workers would compress it once more. To Node the member means nothing.
    const manual: ResponseInit & { encodeBody: 'manual' } = { headers, encodeBody: 'manual' }
    return new Response(body?.pipeThrough(gzip()), manual)
  }
}

/** Cloudflare's edge asks a worker for gzip whatever the client takes, and would not undo it for this type: it says so apart. */
function encodingsOf(req: Context['req']): string | undefined {
  const { cf } = req.raw as { readonly cf?: { readonly clientAcceptEncoding?: string } }
  return cf?.clientAcceptEncoding ?? req.header('accept-encoding')
}

/** Its type wants more of a chunk's buffer than bytes. */
const standardGzip = () => new CompressionStream('gzip') as unknown as ReturnType<Gzip>

function decodeQuery(queries: Record<string, string[]>): { cursor: Cursor | null; limit: number } {
  for (const [name, values] of Object.entries(queries)) {
    if (name !== 'cursor' && name !== 'limit')
      throw malformed(`A pull has no parameter ${quote(name)}. It has cursor and limit.`)
    if (values.length > 1) throw malformed(`The parameter ${name} may stand once.`)
  }
  const [cursor] = queries.cursor ?? []
  const [limit] = queries.limit ?? []
  return {
    cursor: cursor === undefined ? null : parseCursor(cursor),
    limit: decodeLimit(limit === undefined ? undefined : /^\d{1,9}$/.test(limit) ? Number(limit) : Number.NaN),
  }
}

/** Whether a list of what the client takes names it, and not with `q=0`. */
function accepts(list = '', name: string): boolean {
  return list.split(',').some((item) => {
    const [one, ...params] = item.split(';').map((part) => part.trim().toLowerCase())
    return one === name && !params.some((param) => /^q=0(\.0*)?$/.test(param))
  })
}

/**
 * How many rows are to come, then one change a line, and after each page a line with the cursor that goes on from there. A
 * page is read when the client has taken the one before, so memory stays flat. A fault in the middle cuts the stream: the
 * last cursor line still holds.
 */
function streamPages(
  rows: number,
  first: SyncAnswer,
  pull: (cursor: Cursor) => Promise<SyncAnswer>,
  facts: Facts,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const ended = Promise.withResolvers<StreamEnd>()
  facts.ended = ended.promise
  facts.bytes = 0
  let begin = rowsLine(rows)
  let next: SyncAnswer | undefined = first
  const end = (controller: ReadableStreamDefaultController) => {
    controller.close()
    ended.resolve({ aborted: false })
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const page = next?.page
        if (!next || !page) return end(controller)
        const bytes = encoder.encode(begin + answerToLines(next))
        begin = ''
        facts.bytes = (facts.bytes ?? 0) + bytes.length
        controller.enqueue(bytes)
        if (!page.more) return end(controller)
        try {
          next = await pull(page.cursor)
        } catch (error) {
          ended.resolve({ aborted: true, error })
          throw error
        }
      },
      cancel: () => ended.resolve({ aborted: true }),
    },
    { highWaterMark: 0 },
  )
}
