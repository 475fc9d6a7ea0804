import type { Dialect } from '../sql/dialect.ts'
import type { Cells, Statement, StoreLimits } from '../sql/statement.ts'

/** Moves statements to a database. */
export interface Store {
  readonly dialect: Dialect
  /** None: nothing that driftline sends is too large. */
  readonly limits?: StoreLimits
  /**
   * Whether its databases prune and send their webhooks by themselves, as a Durable Object does by
   * its alarm.
   */
  readonly tendsItself?: true
  /**
   * Rows that one read should go over at the most: it is answered in the thread that asks, and
   * others wait meanwhile. None: as many as there are.
   */
  readonly rowsAtOnceMax?: number
  /**
   * Runs the statements in order, all or none, at READ COMMITTED or stricter per statement, in ONE
   * network round trip, and gives the rows of each. Fails with a `StoreFault` only; after one
   * nothing was applied, except that a connection lost during the commit may have applied all of
   * it.
   */
  batch(scope: string, statements: readonly Statement[]): Promise<Cells[][]>
  /**
   * Which database a scope lives in, by any name: one batch, of any of its scopes, may hold
   * statements of all scopes of a place. `onePlace` where all scopes live in one. None: each scope
   * has a batch of its own.
   */
  readonly placeOf?: PlaceOf
  /**
   * Tries groups of statements and keeps nothing: runs `opening`, then each group under a
   * savepoint, so that one which fails is undone alone and the next goes on, then `closing`; at
   * last everything is undone. A conflict or a transient fault ends it and is thrown, and so is any
   * fault of `opening` and `closing`. ONE network round trip. A store without it is asked by
   * batches that undo themselves.
   */
  rehearse?(scope: string, rehearsal: Rehearsal): Promise<Rehearsed>
  /**
   * Runs reads of no scope on every database behind it that is there by itself, to learn whether
   * they answer and have what is read. It wakes no Durable Object and opens no scope's own
   * database. None: a batch without a scope does it.
   */
  ping?(statements: readonly Statement[]): Promise<void>
  close(): Promise<void>
  /** The databases behind it, where a batch that is of no one scope must go to each of them. */
  readonly parts?: readonly Store[]
}

export interface Rehearsal {
  readonly opening: readonly Statement[]
  readonly groups: readonly (readonly Statement[])[]
  readonly closing: readonly Statement[]
}

export interface Rehearsed {
  /** Why each group was undone; undefined for those that the database would take. */
  readonly faults: readonly (StoreFault | undefined)[]
  /** The rows of the statements of `closing`. */
  readonly closing: readonly (readonly Cells[])[]
}

const notTriedCode = 'DRIFTLINE_NOT_TRIED'

/**
 * Of a group that was not tried: a trigger had ended the transaction before, or the request had its
 * share of batches.
 */
export function notTried(): StoreFault {
  return new StoreFault('refused', { message: 'the group was not tried', code: notTriedCode })
}

export const isNotTried = ({ code }: StoreFault): boolean => code === notTriedCode

/** Asks a store whether it answers. */
export async function pingStore(store: Store, statements: readonly Statement[]): Promise<void> {
  await (store.ping ? store.ping(statements) : store.batch('', statements))
}

export type PlaceOf = (scope: string) => string | Promise<string>

/** Of a store of one database. */
export const onePlace: PlaceOf = () => ''

/** What every store takes. */
export interface BatchOptions {
  /**
   * How long one batch may take, in milliseconds; where the database is a file, how long it may
   * wait.
   */
  readonly batchMsMax?: number
}

/**
 * Every number that becomes a parameter is a safe integer: as anything else a database would refuse
 * it each time, and that would look like a fault of the rows. Every store asks this of what it is
 * given, before it sends it.
 */
export function checkNumbers(statements: readonly Statement[]): void {
  for (const { sql, params } of statements) {
    for (const value of params) {
      if (typeof value === 'number' && !Number.isSafeInteger(value))
        throw new TypeError(`A parameter is ${value}, which is no safe integer: ${sql.slice(0, 60)}`)
    }
  }
}

/** True for a batch that writes nothing. */
export function readsOnly(statements: readonly Statement[]): boolean {
  return statements.every(({ reads }) => reads === true)
}

/**
 * `refused`: the database does not take these rows (a constraint or trigger of the user's own), or
 * a statement undid the batch on purpose. `conflict`: it lost against another transaction, the same
 * again may work at once. `transient`: it is away, slow, full or overloaded. `broken`: it lacks
 * what the statement names, such as a table.
 */
export type FaultKind = 'refused' | 'conflict' | 'transient' | 'broken'

export class StoreFault extends Error {
  readonly kind: FaultKind
  /**
   * The database's name of the constraint that was broken, where it says one. Never for an answer
   * unless the app named it.
   */
  readonly constraint: string | undefined

  /**
   * `message` may hold SQL or values: it is for a debugger, never for an answer or a log. `code` is
   * safe.
   */
  constructor(
    kind: FaultKind,
    more: { message: string; code?: string | undefined; constraint?: string | undefined; cause?: unknown },
  ) {
    super(more.message, { cause: more.cause })
    this.name = 'StoreFault'
    this.kind = kind
    this.constraint = more.constraint
    this.code = more.code
  }
  readonly code: string | undefined
}

/** How often a batch is run that loses each time. */
export const conflictTriesMax = 5

/** Milliseconds to wait after so many tries. */
export const conflictPause = (random: () => number, tries: number): number => random() * 10 * 2 ** tries

/** Runs a batch again after a conflict, a few times, a little later each time. */
export async function retryConflicts<Result>(
  run: () => Promise<Result>,
  random: () => number = Math.random,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await run()
    } catch (fault) {
      if (!(fault instanceof StoreFault) || fault.kind !== 'conflict') throw fault
      if (tries === conflictTriesMax)
        throw new StoreFault('transient', { message: fault.message, code: fault.code, cause: fault })
      await new Promise((resolve) => setTimeout(resolve, conflictPause(random, tries)))
    }
  }
}
