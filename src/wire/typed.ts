import type { Rejection } from '../model/errors.ts'
import type { Op } from '../model/stamp.ts'

/** The row of a change on the wire: values by the names of columns. */
export type WireRow = Readonly<Record<string, unknown>>

/** A change as it is pushed. */
export interface WireChange {
  readonly table: string
  readonly op: Op
  readonly id: string
  /** Microseconds since 1970. */
  readonly at: number
  readonly scope?: string
  readonly row?: WireRow
  /** Those of one number and scope apply together, or none of them. */
  readonly tx?: number
}

/** A row as it is pulled, and as a verdict brings it. Without `row`: deleted. */
export interface WireStored {
  readonly scope: string
  readonly table: string
  readonly op: 'put' | 'delete'
  readonly id: string
  readonly at: number
  readonly by: string
  readonly position: number
  readonly row?: WireRow
}

/** The answer to one change. */
export type WireVerdict =
  | {
      readonly verdict: 'applied'
      readonly action: 'inserted' | 'updated' | 'deleted'
      readonly lost?: readonly string[]
      readonly current?: WireStored
    }
  | { readonly verdict: 'duplicate' | 'stale'; readonly current?: WireStored }
  | { readonly verdict: 'rejected'; readonly error: Rejection; readonly current?: WireStored }

/** A page, as a pull and a sync bring it. */
export interface WirePage {
  readonly now: number
  readonly changes: readonly WireStored[]
  readonly cursor: string
  readonly more: boolean
  readonly removed_scopes?: readonly string[]
}

/** The answer to a push, and with the members of a page to a sync. */
export interface WireAnswer extends Partial<WirePage> {
  readonly now: number
  readonly verdicts: readonly WireVerdict[]
}

/** A request that failed as a whole (RFC 9457). */
export interface WireProblem {
  readonly status: number
  readonly code: string
  readonly detail?: string
  readonly request_id?: string
  readonly now?: number
  /** Of `atomic_rejected`. */
  readonly index?: number
  readonly error?: Rejection
  /** Of `resync`. */
  readonly scopes?: readonly string[]
  readonly cursor?: string
}

/** What a token grants, see `GET /v1/me`. */
export interface WireMe {
  readonly now: number
  readonly subject: string
  readonly scopes: readonly { readonly id: string; readonly access: 'read' | 'write' }[]
  readonly expires_at: number | null
}
