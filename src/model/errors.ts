/**
 * Every way a request can fail as a whole: its code, its HTTP status, its title, and whether
 * sending it again can help.
 */
export const problems = {
  malformed: { status: 400, title: 'The request is malformed', retryable: false },
  invalid_cursor: { status: 400, title: 'The cursor cannot be read', retryable: false },
  unauthorized: { status: 401, title: 'The request needs a valid token or signature', retryable: false },
  no_scope: { status: 403, title: 'The token grants no scope', retryable: false },
  forbidden_origin: { status: 403, title: 'Pages of this origin may not connect', retryable: false },
  not_found: { status: 404, title: 'There is nothing here', retryable: false },
  method_not_allowed: { status: 405, title: 'The method is not allowed here', retryable: false },
  request_timeout: { status: 408, title: 'The request stood still', retryable: true },
  resync: { status: 410, title: 'The cursor is from another history', retryable: false },
  body_too_large: { status: 413, title: 'The request is too large', retryable: false },
  answer_too_large: { status: 413, title: 'The answer would be too large', retryable: false },
  too_many_changes: { status: 413, title: 'The change set holds too many changes', retryable: false },
  unsupported_media_type: { status: 415, title: 'The body must be JSON', retryable: false },
  atomic_scopes: { status: 422, title: 'An atomic change set must be of one scope', retryable: false },
  atomic_rejected: { status: 422, title: 'A change of an atomic change set was rejected', retryable: false },
  mapping_failed: { status: 422, title: 'The webhook cannot be mapped to changes', retryable: false },
  upgrade_required: { status: 426, title: 'This is for sockets and event streams', retryable: false },
  too_many_sockets: { status: 429, title: 'The principal has too many sockets', retryable: true },
  too_many_streams: { status: 429, title: 'The principal has too many streams', retryable: true },
  quota_exceeded: { status: 429, title: 'The principal has used up a quota', retryable: true },
  internal: { status: 500, title: 'The server failed', retryable: true },
  unavailable: { status: 503, title: 'The server cannot answer for the moment', retryable: true },
  schema_behind: { status: 503, title: 'The database lacks what this version needs', retryable: true },
  keys_unavailable: { status: 503, title: 'The keys of the issuer cannot be fetched', retryable: true },
} as const

export type ProblemCode = keyof typeof problems

/**
 * A request that failed as a whole. `detail` is shown to the caller: it must hold no SQL, no value
 * and no token.
 */
export class Problem extends Error {
  readonly code: ProblemCode
  /** Members beside those of RFC 9457, such as `index` and `error` of an atomic change set. */
  readonly members: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: ProblemCode,
    detail: string,
    more: { members?: Record<string, unknown>; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, { cause: more.cause })
    this.name = 'Problem'
    this.code = code
    this.members = more.members ?? {}
    this.headers = more.headers ?? {}
  }
}

/** Why one change was rejected. */
export const rejectionCodes = [
  'invalid_change',
  'unknown_table',
  'unknown_op',
  'unknown_column',
  'missing_column',
  'invalid_id',
  'invalid_value',
  'invalid_stamp',
  'clock_ahead',
  'clock_behind',
  'forbidden_scope',
  'row_missing',
  'changed',
  'key_taken',
  'add_expired',
  'constraint',
  'too_large',
  'send_fewer',
  'quota_exceeded',
] as const

export type RejectionCode = (typeof rejectionCodes)[number]

/**
 * What can take a change that was rejected: nothing; the same server later, in a smaller change
 * set; the same server with what the caller does not have now; or a server of another version.
 */
export const retryables = [false, true, 'with_another_token', 'with_another_version'] as const

export type Retryable = (typeof retryables)[number]

/** The error of one rejected change, as it goes over the wire. */
export interface Rejection {
  readonly code: RejectionCode
  readonly detail: string
  readonly retryable: Retryable
  /** Which constraint it breaks, where the schema has a message for it. */
  readonly constraint?: string
}

export function rejection(code: RejectionCode, detail: string, retryable: Retryable = false): Rejection {
  return { code, detail, retryable }
}
