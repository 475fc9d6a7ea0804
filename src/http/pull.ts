import type { Context } from 'hono'
import { answerToJson, pageEnd } from '../answer.ts'
import { type Facts, noteCaller, type StreamEnd } from '../facts.ts'
import type { RunSync, SyncAnswer } from '../run.ts'
import { quote } from '../sync/change.ts'
import { type Cursor, parseCursor } from '../sync/cursor.ts'
import { decodeLimit, malformed } from '../sync/request.ts'
import type { Authenticate } from './auth.ts'
import type { Env } from './env.ts'

/** `GET /v1/pull?cursor=…&limit=…`: one page, or with `Accept: application/x-ndjson` all of them as a stream. */
export function pullHandler(authenticate: Authenticate, run: RunSync) {
  return async (context: Context<Env>): Promise<Response> => {
    const facts = context.get('facts')
    facts.operation = 'pull'
    const principal = await authenticate(context.req.header('authorization'))
    noteCaller(facts, principal)
    const { cursor, limit } = decodeQuery(context.req.queries())
    const pull = (from: Cursor | null) =>
      run(principal, { client: '', changes: [], atomic: false, return: 'all', cursor: from, limit }, facts)
    const first = await pull(cursor)
    if (!acceptsLines(context.req.header('accept'))) {
      return new Response(answerToJson(first, 'pull'), {
        headers: { 'Content-Type': 'application/json', Vary: 'Accept' },
      })
    }
    // A HEAD has no body, which nobody would ever read to its end.
    return new Response(context.req.method === 'HEAD' ? null : streamPages(first, pull, facts), {
      headers: { 'Content-Type': 'application/x-ndjson', Vary: 'Accept' },
    })
  }
}

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

function acceptsLines(accept = ''): boolean {
  return accept.split(',').some((type) => type.trim().split(';')[0]?.trim().toLowerCase() === 'application/x-ndjson')
}

/**
 * One change a line, and after each page a line with the cursor that goes on from there. A page is read when the client
 * has taken the one before, so memory stays flat. A fault in the middle cuts the stream: the last cursor line still holds.
 */
function streamPages(
  first: SyncAnswer,
  pull: (cursor: Cursor) => Promise<SyncAnswer>,
  facts: Facts,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const ended = Promise.withResolvers<StreamEnd>()
  facts.ended = ended.promise
  facts.bytes = 0
  let next: SyncAnswer | undefined = first
  const end = (controller: ReadableStreamDefaultController) => {
    controller.close()
    ended.resolve({ aborted: false })
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const page = next?.page
        if (!page) return end(controller)
        const removed =
          next && next.removedScopes.length > 0 ? `,"removed_scopes":${JSON.stringify(next.removedScopes)}` : ''
        const lines = page.rows === '' ? '' : `${splitRows(page.rows)}\n`
        const bytes = encoder.encode(`${lines}{${pageEnd(page)}${removed}}\n`)
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

/** Every change begins with `{"scope":"`; inside a text the quotes would be escaped, so this splits nowhere else. */
function splitRows(rows: string): string {
  return rows.replaceAll('},{"scope":"', '}\n{"scope":"')
}
