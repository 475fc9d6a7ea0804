import type { Context } from 'hono'
import { Problem } from '../model/errors.ts'
import { PayloadFault } from '../model/payload-fault.ts'
import { matchScope } from '../model/scope-pattern.ts'
import type { Schema } from '../model/table.ts'
import { logError } from '../observe/log.ts'
import type { Operations } from '../sync/sync.ts'
import type { MapWebhook } from '../webhooks/in/mapping.ts'
import type { WebhookSources } from '../webhooks/in/sources.ts'
import type { AdmitWebhook, VerifyWebhook } from '../webhooks/in/verify.ts'
import { pushToJson } from '../wire/answer.ts'
import { parseJson } from '../wire/json-fault.ts'
import { decodeWebhook, type ReceiveRequest } from '../wire/request.ts'
import type { Arrive } from './arrive.ts'
import { readText } from './body.ts'
import type { Env } from './env.ts'
import { jsonType } from './types.ts'

/**
 * `POST /v1/webhooks/{source}`: a signed change set, or what the source's mapping makes one of,
 * takes effect once.
 */
export function webhookHandler<S extends Schema>(
  admit: AdmitWebhook,
  verify: VerifyWebhook,
  sources: WebhookSources<S>,
  receive: Operations['receive'],
  arrive: Arrive,
) {
  const allowed = new Map(
    Object.entries(sources).map(([name, { scopes }]) => [name, scopes ? matchScope(scopes) : () => true]),
  )
  return async (context: Context<Env>): Promise<Response> => {
    const facts = context.get('facts')
    facts.operation = 'webhook'
    const source = context.req.param('source') ?? ''
    // 1 Who may have signed it, before anything of the body is read; then the body as it was
    // signed, and who signed it.
    const { headers } = context.req.raw
    admit(source, headers)
    const body = await readText(headers, arrive(context))
    const { id, greet } = await verify(source, headers, body.text)
    // 2 JSON, and the change set in it.
    const payload = parseJson(body.text)
    const greeting = greet(payload)
    if (greeting) return context.json(greeting)
    const entry = { id, isAllowed: allowed.get(source) ?? (() => true) }
    const map = Object.hasOwn(sources, source) ? sources[source]?.map : undefined
    const request = map
      ? await mapPayload(() => map(payload, context.req.raw.headers), source, entry)
      : decodeWebhook(payload, source, entry)
    // 3 As a push, with the source as the client; its id goes into the inbox in the transaction of
    // the rows.
    const answer = await receive(request, { facts, bytes: body.bytes })
    // 4 The verdicts, without rows: they are kept for a retry as they are.
    return new Response(pushToJson(answer), { headers: { 'Content-Type': jsonType } })
  }
}

/**
 * What a mapping throws or gives wrong is a 422, and logged with the source; only a fault of its
 * own words is shown.
 */
async function mapPayload<S extends Schema>(
  map: () => ReturnType<MapWebhook<S>>,
  source: string,
  entry: Parameters<typeof decodeWebhook>[2],
): Promise<ReceiveRequest> {
  try {
    return decodeWebhook({ changes: await map() }, source, entry)
  } catch (error) {
    logError(`webhook ${source}`, error instanceof Problem ? new TypeError(error.message) : error)
    const why = error instanceof PayloadFault ? error.message : 'it failed.'
    throw new Problem(
      'mapping_failed',
      `The mapping of the source ${source} does not take this payload: ${why} Nothing was stored.`,
    )
  }
}
