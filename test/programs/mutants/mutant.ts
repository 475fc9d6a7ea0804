import type { ModelStoreName } from '../model/stores.ts'

export interface Mutant {
  readonly name: string
  /** Where the model is run. */
  readonly store: ModelStoreName
  readonly edits: readonly Edit[]
  /** The test that must catch it where the model cannot, and why it cannot. */
  readonly race?: Race
}

export interface Race {
  readonly file: string
  /** A pattern for the titles of the tests that are run; without it all of the file. */
  readonly title?: string
  readonly why: string
  /** The model is not even asked. */
  readonly alone?: true
}

/** `search` must stand in the file exactly once. */
export interface Edit {
  readonly file: string
  readonly search: string
  readonly replace: string
}
