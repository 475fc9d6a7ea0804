import type { Table } from '../model/table.ts'
import type { Raise } from './markers.ts'
import type { Cells, Statement } from './statement.ts'

/** What a statement of a group does, none of which gives anything back. */
export type TrialKind =
  /**
   * Puts and deletes, each with its writer; and those of a table with rules, or of rows as they
   * were seen.
   */
  | 'write'
  | 'put'
  | 'seenPut'
  | 'create'
  | 'seenCreate'
  | 'update'
  | 'seenUpdate'
  | 'add'
  | 'remember'
  | 'seenAdd'
  | 'rememberSeen'
  | 'forget'
  /**
   * Checks, which fail: a row is not as it was seen, its key is taken, or a trigger swallowed it.
   */
  | 'changed'
  | 'taken'
  | 'swallowed'
  | 'missing'
  | 'absent'
  | 'freePut'
  | 'freeCreate'
  | AdoptedKind

/** What writes rows of the app. */
export type AdoptedKind =
  | 'replace'
  | 'insert'
  | 'remove'
  | 'mark'
  | 'seenMark'
  | 'patch'
  | 'stamp'
  | 'freeMark'
  | 'freePatch'
  | 'freeStamp'

/** Whether a trial is a query. */
export const isCheck = (kind: TrialKind): boolean =>
  kind === 'changed' || kind === 'taken' || kind === 'swallowed' || kind === 'missing' || kind === 'absent'

/** One statement of a group. */
export interface Trial {
  readonly kind: TrialKind
  /** Place of the table in the rehearsal's list. */
  readonly table: number
  readonly params: Statement['params']
}

/**
 * Groups of statements that are tried one after the other, each undone alone where it fails.
 * Nothing is kept.
 */
export interface TrialPlan {
  /** Of the lock: [scope, incarnation, n, row bytes]. */
  readonly lock: Statement['params']
  readonly tables: readonly Table[]
  readonly groups: readonly (readonly Trial[])[]
  /**
   * The rows of each group, where they must satisfy by themselves what otherwise is checked at the
   * commit.
   */
  readonly ids: readonly (readonly { readonly table: Table; readonly ids: readonly string[] }[])[]
  /** Whether each group must satisfy what otherwise only a commit would check. */
  readonly immediate: boolean
  /** Of the markers that the statements raise. */
  readonly nonce: string
}

/** The last statement of the batch gives one text, which `read` makes the failures of. */
export interface RehearseBatch {
  compile(plan: TrialPlan): readonly Statement[]
  read(row: Cells | undefined): TrialFailures
}

export interface TrialFailures {
  /** By place of the group. */
  readonly groups: ReadonlyMap<number, TrialFailure>
  /** What the commit would have failed with. */
  readonly commit: TrialFailure | undefined
}

export interface TrialFailure {
  readonly kind: 'conflict' | 'transient' | 'broken' | 'refused'
  readonly code: string
  readonly message: string
  readonly constraint: string | undefined
}

/** What a database must be asked for before groups are tried, and what it says of foreign keys. */
export interface RehearsedKeys {
  /**
   * → what `keysOf` reads; → the columns of a unique index as the database's messages have them,
   * and its name.
   */
  readonly statements: readonly [keys: Statement, names: Statement]
  keysOf(rows: readonly Cells[], tables: readonly Table[]): ForeignKeys
}

/** Foreign keys that only a commit checks. */
export interface ForeignKeys {
  /**
   * [scope, n] → a row where a commit would fail: children that this transaction, which took `n`
   * positions, wrote.
   */
  readonly unmet: readonly string[]
  /** [scope, ids]: aborts where one of these rows of the table lacks its parent. */
  guards(table: Table, raise: Raise): readonly string[]
}
