import { HTTPException } from 'hono/http-exception'
import { Problem, problems } from '../model/errors.ts'
import { failureOf } from '../observe/failure.ts'
import { problemType } from './types.ts'

/**
 * Any error as the answer that the caller may see: RFC 9457, without SQL, value, stack or token.
 */
export function problemResponse(error: unknown, requestId: string): Response {
  const problem = toProblem(error)
  return new Response(problemBody(problem, requestId), {
    status: problems[problem.code].status,
    headers: { 'Content-Type': problemType, ...problem.headers },
  })
}

/** A problem as JSON text. */
export function problemBody({ code, message: detail, members }: Problem, requestId: string): string {
  const { status, title, retryable } = problems[code]
  const type = `urn:driftline:problem:${code}`
  return JSON.stringify({ type, title, status, code, detail, retryable, request_id: requestId, ...members })
}

export function toProblem(error: unknown): Problem {
  if (error instanceof HTTPException && error.status === 400)
    return new Problem('malformed', 'The request cannot be read.')
  return failureOf(error)
}
