import type { Context } from 'hono'
import { answerToJson } from '../answer.ts'
import type { RunSync } from '../run.ts'
import { decodeRequest } from '../sync/request.ts'
import type { Authenticate } from './auth.ts'
import { readJson } from './body.ts'
import { addDatabaseTime, type Env } from './env.ts'

/** `POST /v1/sync` and its writing half, `POST /v1/push`. */
export function syncHandler(half: 'sync' | 'push', authenticate: Authenticate, run: RunSync) {
  return async (context: Context<Env>): Promise<Response> => {
    // 1 Who calls, and which scopes that grants.
    const principal = await authenticate(context.req.header('authorization'))
    // 2 The body: bytes, UTF-8, JSON, and the members of a request.
    const body = await readJson(context.req.raw)
    const request = decodeRequest(body.value, half)
    // 3 Decode each change, authorize, coalesce, compile, one batch a scope, reconcile.
    const answer = await run(principal, request, body.bytes)
    // 4 The answer, with the rows as the database wrote them. A push hands out no cursor: it has read nothing.
    addDatabaseTime(context, answer.databaseMs)
    return new Response(answerToJson(answer, half), { headers: { 'Content-Type': 'application/json' } })
  }
}
