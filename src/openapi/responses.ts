import { type ProblemCode, problems } from '../model/errors.ts'
import { groupBy } from '../model/group-by.ts'
import { type Json, oneOf } from './schema.ts'

/** What a request may end with that has a body or a query and reads the database. */
export const problemsOfAll: readonly ProblemCode[] = [
  ...(['malformed', 'unauthorized', 'internal', 'unavailable', 'keys_unavailable'] as const),
]
export const problemsOfCursors: readonly ProblemCode[] = ['invalid_cursor', 'no_scope', 'resync']
export const problemsOfChanges: readonly ProblemCode[] = [
  ...problemsOfAll,
  ...(['body_too_large', 'too_many_changes', 'answer_too_large', 'unsupported_media_type', 'request_timeout'] as const),
  ...(['atomic_scopes', 'atomic_rejected', 'quota_exceeded'] as const),
]

export const header = (name: string): Json => ({ $ref: `#/components/headers/${name}` })
const everyAnswer = { 'X-Request-Id': header('RequestId'), 'Server-Timing': header('ServerTiming') }
const headersByStatus: Readonly<Record<number, Json>> = {
  401: { 'WWW-Authenticate': header('Challenge') },
  405: { Allow: header('Allow') },
  415: { 'Accept-Encoding': header('AcceptEncoding') },
  426: { Upgrade: header('Upgrade') },
  429: { 'Retry-After': header('RetryAfter') },
  503: { 'Retry-After': header('RetryAfter') },
}

/** The answers to what no route takes. Each route may answer `MethodNotAllowed`. */
export const otherResponses: Json = {
  NotFound: failures(['not_found'])[404],
  MethodNotAllowed: failures(['method_not_allowed'])[405],
}

export function answer(description: string, content: Json, headers: Json = {}): Json {
  return { description, headers: { ...everyAnswer, ...headers }, content }
}

/** The answers of these problems, by status. */
export function failures(codes: readonly ProblemCode[]): Readonly<Record<number, Json>> {
  const byStatus = groupBy(codes, (code) => problems[code].status)
  const entries = [...byStatus].map(([status, some]) => {
    const schema = oneOf('code', Object.fromEntries(some.map((code) => [code, `problem.${code}`])))
    const description = some.map((code) => problems[code].title).join(', or: ')
    return [status, answer(description, { 'application/problem+json': { schema } }, headersByStatus[status])]
  })
  return Object.fromEntries(entries)
}
