import { createBoundedMap } from '../model/bounded-map.ts'
import type { ProblemCode, RejectionCode } from '../model/errors.ts'
import type { Principal } from '../model/principal.ts'
import type { Tally, Verdict } from '../model/verdict.ts'

export type Operation = 'sync' | 'push' | 'pull' | 'webhook' | 'import'

/** What a push, pull or sync came to: counts, times and codes, never a row, an id or a token. */
export interface SyncEvent {
  readonly operation: Operation
  readonly requestId: string
  /** The answer's status; without HTTP the one that it would have. */
  readonly status: number
  /** Of a request that failed as a whole. */
  readonly code: ProblemCode | undefined
  /**
   * What lay behind a failure of the server's own, such as `transient`, and the database's code for
   * it.
   */
  readonly fault: string | undefined
  readonly faultCode: string | undefined
  /** A stream that was cut, by the client or by a fault. */
  readonly aborted: boolean
  readonly durationMs: number
  /** What the database took, summed up over scopes that are read and written side by side. */
  readonly databaseMs: number
  /** Changes that were sent, and their verdicts, once there are any. */
  readonly changes: number
  readonly verdicts: Readonly<Record<Verdict['verdict'], number>>
  /**
   * Duplicates whose stamp is stored with other content: two writers of one name, as far as it can
   * be told.
   */
  readonly conflicting: number
  /** The codes of the rejected changes. */
  readonly rejected: Readonly<Partial<Record<RejectionCode, number>>>
  /** Rows that were pulled, and the bytes of a stream. */
  readonly rows: number
  readonly bytes: number | undefined
  /**
   * Scopes that the token grants, or that a webhook writes, and the first of them as `hashScope`
   * gives it.
   */
  readonly scopes: number
  readonly scopeHash: string | undefined
}

/** One request of any route, for its log line. */
export interface RequestEvent extends Omit<SyncEvent, 'operation'> {
  /** Undefined on other routes, whose counts mean nothing. */
  readonly operation: Operation | undefined
  /** `*` where HTTP does not know it. */
  readonly method: string
  /**
   * As the app declares it; `*` for a path that it does not know. Never the path that was asked
   * for.
   */
  readonly route: string
}

/** What is known of a request so far. Filled while it runs, so that one that fails has it too. */
export interface Facts {
  operation: Operation | undefined
  databaseMs: number
  changes: number
  readonly verdicts: Record<Verdict['verdict'], number>
  readonly rejected: Partial<Record<RejectionCode, number>>
  conflicting: number
  rows: number
  bytes: number | undefined
  scopes: number
  /** Goes no further: only its hash does. */
  scope: string | undefined
  /** How a stream ended, which is after its answer began. */
  ended: Promise<StreamEnd> | undefined
}

export interface StreamEnd {
  readonly aborted: boolean
  readonly error?: unknown
}

export function startFacts(operation?: Operation): Facts {
  return {
    operation,
    databaseMs: 0,
    changes: 0,
    verdicts: { applied: 0, duplicate: 0, stale: 0, rejected: 0 },
    rejected: {},
    conflicting: 0,
    rows: 0,
    bytes: undefined,
    scopes: 0,
    scope: undefined,
    ended: undefined,
  }
}

export function noteCaller(facts: Facts, { scopes }: Principal): void {
  noteScopes(facts, [...scopes.keys()])
}

export function noteScopes(facts: Facts, scopes: readonly string[]): void {
  facts.scopes = scopes.length
  facts.scope = scopes[0]
}

/** What a request came to: its verdicts, the page, and what of an import was only counted. */
export function noteAnswer(
  facts: Facts,
  given: readonly Verdict[],
  page?: { readonly count: number },
  tally: Tally = { applied: 0, duplicate: 0, stale: 0 },
): void {
  const { verdicts, rejected } = facts
  for (const [verdict, count] of Object.entries(tally)) verdicts[verdict as keyof Tally] += count
  for (const one of given) {
    verdicts[one.verdict]++
    if (one.conflicting) facts.conflicting++
    if (one.verdict === 'rejected') rejected[one.error.code] = (rejected[one.error.code] ?? 0) + 1
  }
  facts.rows += page?.count ?? 0
}

const hashes = createBoundedMap<string, string>(1_000)

/**
 * The first 16 hexadecimal digits of a scope's SHA-256: follows one user through a log without the
 * name.
 */
export async function hashScope(scope: string): Promise<string> {
  const known = hashes.get(scope)
  if (known !== undefined) return known
  const hash = await hashText(scope)
  hashes.set(scope, hash)
  return hash
}

/** The first 16 hexadecimal digits of a text's SHA-256. */
export async function hashText(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
