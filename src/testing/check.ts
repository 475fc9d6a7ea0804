import type { Principal } from '../model/principal.ts'
import type { Statement } from '../sql/statement.ts'
import type { Store } from '../stores/store.ts'

/** One promise, for `test(title, run)` of any runner. It fails with an error. */
export interface Check {
  readonly title: string
  run(): Promise<void>
}

/** What somebody gives who has his store checked. */
export interface StoreUnderTest {
  /** On an empty database, which nobody else writes to. */
  readonly store: Store
  /**
   * That the databases have `suiteMigrations` already, as where each scope's own comes into being
   * with its first write. None: the suite applies them.
   */
  readonly isMigrated?: true
  /** Round trips to the database so far, where they can be counted. */
  roundTrips?(): number
  /** Takes the database away, where that can be done: what it gives brings it back. */
  away?(): Promise<() => Promise<void>>
  /** None: the store is closed, and nothing else. */
  close?(): Promise<void>
}

/** What each check works with. */
export interface Trial extends Omit<StoreUnderTest, 'close' | 'isMigrated'> {
  /** A name for a scope that no check has had before. */
  scope(word?: string): string
  /** Somebody new, who may write the scope of his own name. */
  someone(): Principal
  /** Runs a statement in the database of a scope, beside driftline. */
  exec(scope: string, sql: string): ReturnType<Store['batch']>
}

/** Checks by their titles. */
export type Checks = Readonly<Record<string, (trial: Trial) => Promise<void>>>

export const run = (sql: string, ...params: Statement['params']): Statement => ({ sql, params })
export const read = (sql: string, ...params: Statement['params']): Statement => ({ sql, params, reads: true })
