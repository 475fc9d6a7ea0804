import type { Context } from 'hono'
import { nextTurn, turnChanges } from '../model/turn.ts'
import { noteCaller } from '../observe/facts.ts'
import type { Operations } from '../sync/sync.ts'
import { pushToJson, syncToBytes } from '../wire/answer.ts'
import { decodeRequest } from '../wire/request.ts'
import type { Arrive } from './arrive.ts'
import type { Authenticate } from './auth.ts'
import { readJson } from './body.ts'
import type { Env } from './env.ts'
import { jsonType } from './types.ts'

/** `POST /v1/sync` and its writing half, `POST /v1/push`. */
export function syncHandler(
  half: 'sync' | 'push',
  authenticate: Authenticate,
  push: Operations['push'],
  arrive: Arrive,
) {
  const toBody = half === 'sync' ? syncToBytes : pushToJson
  return async (context: Context<Env>): Promise<Response> => {
    const facts = context.get('facts')
    facts.operation = half
    // 1 Who calls, and which scopes that grants.
    const principal = await authenticate(context.req.header('authorization'))
    noteCaller(facts, principal)
    // 2 The body: bytes, UTF-8, JSON, and the members of a request.
    const body = await readJson(context.req.raw.headers, arrive(context))
    const request = decodeRequest(body.value, half)
    if (request.changes.length > turnChanges) await nextTurn()
    // 3 Decode each change, authorize, coalesce, plan, one batch a scope, reconcile.
    const answer = await push(principal, request, { facts, bytes: body.bytes })
    if (request.changes.length > turnChanges) await nextTurn()
    // 4 The answer, with the rows as the database wrote them. A push hands out no cursor: it has
    // read nothing.
    return new Response(toBody(answer), { headers: { 'Content-Type': jsonType } })
  }
}
