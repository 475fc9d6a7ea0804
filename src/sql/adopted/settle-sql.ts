import type { Table } from '../../model/table.ts'

/**
 * What the app's own SQL has touched gets stamps and positions (ADOPT 3). `touched` lines are
 * appended by triggers in the app's transactions, which wait for no scope; they are settled under
 * the scope's lock, by a fresh look at the app's rows.
 */
export interface SettleSql {
  /** [scopes, as `encodeIds` makes it] → those of which lines wait. */
  readonly waiting: string
  /** [n] → scopes of the first n lines of any scope. */
  readonly waitingAnywhere: string
  /**
   * [scope, incarnation]: locks the scope where lines of it wait, which makes it where it was never
   * written.
   */
  readonly lock: string
  /**
   * [scope], and [scope, marks at the most] where they are `bounded`: give what the first lines are
   * about its place. The one that `tells` gives a row: how many rows moved, the position of the
   * scope, and 1 where lines are left.
   */
  readonly steps: readonly { readonly sql: string; readonly bounded: boolean; readonly tells: boolean }[]
  /** Behind the steps: how many rows of the scope `scope$` they have moved. */
  readonly moved: string
  /** [scope, n, client]: behind the lock of a push, for its triggers. */
  readonly begin: string
  /** [scope]: at the end of a push, and of settling. */
  readonly end: string | undefined
  /** Checks what otherwise only the commit would, before results are read. */
  readonly immediate: string | undefined
  /** [] → nothing: from here on nothing of the app's is waited for long. */
  readonly impatient: string | undefined
  /** [scope] → nothing: locks the scope, where there is one, before rows are held. */
  readonly hold: string | undefined
}

/** The tables of a schema that are adopted, with their names as a list of SQL. */
export interface AdoptedTables {
  readonly tables: readonly Table[]
  readonly names: string
}
