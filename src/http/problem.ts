import { HTTPException } from 'hono/http-exception'
import { Problem, problems } from '../model/errors.ts'
import { failureOf } from '../observe/failure.ts'
import { problemType } from './types.ts'

/**
 * Any error as the answer that the caller may see: RFC 9457, without SQL, value, stack or token.
 */
export function problemResponse(error: unknown, requestId: string, now: () => number = Date.now): Response {
  const problem = toProblem(error)
  return new Response(problemBody(problem, requestId, now() * 1000), {
    status: problems[problem.code].status,
    headers: { 'Content-Type': problemType, ...problem.headers },
  })
}

/** Of what a client's clock may have been wrong for. */
const timed: readonly string[] = ['resync', 'atomic_rejected']

/** A problem as JSON text. `now` is the server's time in microseconds. */
export function problemBody({ code, message: detail, members }: Problem, requestId: string, now?: number): string {
  const { status, title, retryable } = problems[code]
  const type = `urn:driftline:problem:${code}`
  return JSON.stringify({
    type,
    title,
    status,
    code,
    detail,
    retryable,
    request_id: requestId,
    ...members,
    ...(timed.includes(code) && { now }),
  })
}

export function toProblem(error: unknown): Problem {
  if (error instanceof HTTPException && error.status === 400)
    return new Problem('malformed', 'The request cannot be read.')
  return failureOf(error)
}
