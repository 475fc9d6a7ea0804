import { HTTPException } from 'hono/http-exception'
import { Problem, problems } from '../errors.ts'
import { StoreFault } from '../stores/store.ts'

/** Seconds after which a client may try again when the database did not answer. */
const retryAfterSeconds = 2

/** Any error as the answer that the caller may see: RFC 9457, without SQL, value, stack or token. */
export function problemResponse(error: unknown, requestId: string): Response {
  const { code, message: detail, members, headers } = toProblem(error)
  const { status, title, retryable } = problems[code]
  const body = {
    type: `urn:driftline:problem:${code}`,
    title,
    status,
    code,
    detail,
    retryable,
    request_id: requestId,
    ...members,
  }
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  })
}

/** A fault of the database is transient or ours, never the change's (P13). */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof HTTPException && error.status === 400)
    return new Problem('malformed', 'The request cannot be read.')
  if (error instanceof StoreFault && error.kind !== 'broken') {
    return new Problem('unavailable', 'Nothing is half done. Send the same again later: that is always safe.', {
      headers: { 'Retry-After': String(retryAfterSeconds) },
      cause: error,
    })
  }
  return new Problem('internal', 'The log of the server says more, by the request id.', { cause: error })
}
