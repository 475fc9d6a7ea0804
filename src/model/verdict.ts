import type { Outcome } from './stamp.ts'

/**
 * The answer to one change. `current` is JSON text, made of what the database gave: it goes out as
 * it is. `conflicting`: a duplicate whose stamp is stored with other content, which is counted.
 */
export type Verdict = Outcome & { readonly current?: string; readonly conflicting?: true }

/** What became of the changes of an import that the database took. */
export interface Tally {
  applied: number
  duplicate: number
  stale: number
}
