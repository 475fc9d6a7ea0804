import { HTTPException } from 'hono/http-exception'
import { Problem, problems } from '../errors.ts'
import { failureOf } from '../failure.ts'

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

export function toProblem(error: unknown): Problem {
  if (error instanceof HTTPException && error.status === 400)
    return new Problem('malformed', 'The request cannot be read.')
  return failureOf(error)
}
