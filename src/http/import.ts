import type { Context } from 'hono'
import { checkAt, checkLineOptions, chunkSize, createImport, importChunks, type LineOptions } from '../bulk/import.ts'
import { type MapLine, mapChunks } from '../bulk/map-chunks.ts'
import { readLines } from '../bulk/ndjson.ts'
import { addChunk, noOutcome } from '../bulk/outcome.ts'
import { countersOf } from '../bulk/row-values.ts'
import { deferred } from '../model/deferred.ts'
import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import type { Principal } from '../model/principal.ts'
import type { Schema } from '../model/table.ts'
import { quote } from '../model/untrusted.ts'
import { type Facts, noteCaller, type StreamEnd } from '../observe/facts.ts'
import type { Operations, SyncOptions } from '../sync/sync.ts'
import type { WebhookSources } from '../webhooks/in/sources.ts'
import { malformed } from '../wire/request.ts'
import type { Arrive } from './arrive.ts'
import type { Authenticate } from './auth.ts'
import { checkType } from './body.ts'
import { decodeLong, readEncoding } from './encoding.ts'
import type { Env } from './env.ts'
import { findSource, sourceMapper } from './import-source.ts'
import { problemBody, toProblem } from './problem.ts'
import { linesType } from './types.ts'

/**
 * `POST /v1/import?table=…&scope=…&client=…&at=…&source=…`: NDJSON of any length, applied chunk by
 * chunk while it comes. The answer is NDJSON too and comes meanwhile: each rejected line, and after
 * each chunk the lines that are taken for good. The next chunk is read when the client has taken
 * that, so memory stays flat.
 */
export function importHandler<S extends Schema>(
  authenticate: Authenticate,
  importChunk: Operations['importChunk'],
  arrive: Arrive,
  sources: WebhookSources<S>,
  options: SyncOptions,
) {
  const { schema, now = Date.now, clockDriftMsMax = limits.clockDriftMsMax } = options
  return async (context: Context<Env>): Promise<Response> => {
    const facts = context.get('facts')
    facts.operation = 'import'
    const principal = await authenticate(context.req.header('authorization'))
    noteCaller(facts, principal)
    const { headers } = context.req.raw
    const { source: name, ...asked } = decodeQuery(context.req.queries(), principal)
    const table = schema.tablesByName.get(asked.table ?? '')
    const booleans = table?.columns.flatMap(({ name, type }) => (type === 'boolean' ? [name] : []))
    const source = name === undefined ? undefined : findSource(sources, name)
    // The changes of a mapping are no rows: the stamp is that of those which have none.
    const { at, grant } = asked
    const lineOptions = { ...asked, booleans, counters: table && countersOf(table), at: source ? undefined : at }
    checkLineOptions(lineOptions, schema, now() * 1000, clockDriftMsMax)
    if (source && at !== undefined) checkAt(at, now() * 1000, clockDriftMsMax)
    checkType(headers, 'application/x-ndjson')
    const bytes = decodeLong(arrive(context), readEncoding(headers))
    const map = source && sourceMapper(source, { name: asked.client, scope: grant.scope, at, headers, now })

    const gone = new AbortController()
    const signal = AbortSignal.any([gone.signal, context.req.raw.signal])
    const answers = importAll(
      createImport(importChunk, principal.subject, lineOptions, { facts, signal }),
      refuseArray(bytes),
      map,
    )
    // A fault before anything is taken has a status of its own.
    const first = await answers.next()
    return new Response(stream(first, answers, context.get('requestId'), facts, gone), {
      headers: { 'Content-Type': linesType },
    })
  }
}

/** A JSON array has no row in any of its lines: one fault says so, before anything is taken. */
async function* refuseArray(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isBegun = false
  for await (const block of bytes) {
    const text: string = isBegun ? '' : new TextDecoder().decode(block.subarray(0, 1024)).trimStart()
    if (text.startsWith('['))
      throw malformed(`The body is a JSON array. Send an object in each line: jq -c '.[]' makes them of it.`)
    isBegun ||= text !== ''
    yield block
  }
}

const parameters = ['table', 'scope', 'client', 'at', 'source']

function decodeQuery(
  queries: Record<string, string[]>,
  { scopes }: Principal,
): LineOptions & { readonly source: string | undefined } {
  for (const [name, values] of Object.entries(queries)) {
    if (!parameters.includes(name))
      throw malformed(`An import has no parameter ${quote(name)}. It has ${parameters.join(', ')}.`)
    if (values.length > 1) throw malformed(`The parameter ${name} may stand once.`)
  }
  const [table, scope, by, at, source] = parameters.map((name) => queries[name]?.[0])
  if (source !== undefined && by !== undefined && by !== source)
    throw malformed('"client" is the source here: leave it out.')
  if (scopes.size === 0) throw new Problem('no_scope', 'The token grants no scope to write.')
  return {
    table,
    source,
    // As its webhooks: what came by one of them with the same stamp is a duplicate.
    client: source ?? by ?? 'import',
    at: at === undefined ? undefined : /^\d{1,16}$/.test(at) ? Number(at) : Number.NaN,
    grant: { scope: scope ?? [...scopes.keys()][0], isAllowed: (name) => scopes.get(name) === 'write', byToken: true },
  }
}

/**
 * What to say of each chunk, and at the end. Where a mapping makes the changes, the lines that are
 * rejected come back as they were: whoever sends payloads of another system need not keep them.
 */
async function* importAll(
  importChunk: ReturnType<typeof createImport>,
  bytes: AsyncIterable<Uint8Array>,
  map: MapLine | undefined,
) {
  const outcome = noOutcome()
  const read = readLines(bytes, chunkSize)
  for await (const result of importChunks(map ? mapChunks(read, map) : read, importChunk)) {
    const listed = addChunk(outcome, result)
    const sources =
      map && listed.length > 0 ? new Map(result.lines.map(({ line, source }) => [line, source])) : undefined
    const told = listed.map((one) => ({ ...one, text: sources?.get(one.line) }))
    yield [...told, outcome].map((one) => `${JSON.stringify(one)}\n`).join('')
  }
  yield `${JSON.stringify({ ...outcome, done: true })}\n`
}

/**
 * A fault in the middle is a last line with the problem: the lines that were said to be taken are.
 */
function stream(
  first: IteratorResult<string>,
  answers: AsyncGenerator<string>,
  requestId: string,
  facts: Facts,
  gone: AbortController,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const ended = deferred<StreamEnd>()
  facts.ended = ended.promise
  let next: Promise<IteratorResult<string>> | undefined = Promise.resolve(first)
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await (next ?? answers.next())
          next = undefined
          if (!done) return controller.enqueue(encoder.encode(value))
          ended.resolve({ aborted: false })
        } catch (error) {
          controller.enqueue(encoder.encode(`{"problem":${problemBody(toProblem(error), requestId)}}\n`))
          ended.resolve({ aborted: true, error })
        }
        controller.close()
      },
      async cancel() {
        ended.resolve({ aborted: true })
        // The chunk under way is the last, whether or not more of the body has come.
        gone.abort()
        await answers.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
