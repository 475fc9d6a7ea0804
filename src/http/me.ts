import type { Context } from 'hono'
import { noteCaller } from '../observe/facts.ts'
import { malformed } from '../wire/request.ts'
import type { Authenticate } from './auth.ts'
import type { Env } from './env.ts'
import { jsonType } from './types.ts'

/**
 * `GET /v1/me`: who a token is of, what it grants and until when, and what time it is here. Of the
 * token alone: no database is asked. `now` is the server's time in milliseconds.
 */
export function meHandler(authenticate: Authenticate, now: () => number) {
  return async (context: Context<Env>): Promise<Response> => {
    const principal = await authenticate(context.req.header('authorization'))
    noteCaller(context.get('facts'), principal)
    if (Object.keys(context.req.queries()).length > 0) throw malformed('/v1/me has no parameters.')
    const { subject, scopes, expiresAt } = principal
    const body = {
      now: now() * 1000,
      subject,
      scopes: [...scopes].map(([id, access]) => ({ id, access })),
      expires_at: expiresAt * 1000,
    }
    return new Response(JSON.stringify(body), { headers: { 'Content-Type': jsonType, 'Cache-Control': 'no-store' } })
  }
}
