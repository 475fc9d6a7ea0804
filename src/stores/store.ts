import { type Dialect, type Marker, markers, type Statement } from '../dialects/dialect.ts'

/** A value of a row as a store gives it: integers may come as text, booleans as 0 and 1. */
export type Cell = string | number | boolean | null
export type Cells = readonly Cell[]

/** What a database takes at the most, where that is less than driftline's own limits. Bytes are of UTF-8. */
export interface StoreLimits {
  /** Bytes of a parameter: more rows than fit are sent in several statements of the same batch. */
  readonly paramBytesMax: number
  /** Bytes of a statement's text. */
  readonly sqlBytesMax: number
  /** Columns of a result, which a JSON parameter is too: 3, and two for each column of a table. */
  readonly resultColumnsMax: number
}

/** Moves statements to a database. */
export interface Store {
  readonly dialect: Dialect
  /** None: nothing that driftline sends is too large. */
  readonly limits?: StoreLimits
  /**
   * Runs the statements in order, all or none, at READ COMMITTED or stricter per statement, in ONE network round trip,
   * and gives the rows of each. Fails with a `StoreFault` only; after one nothing was applied, except that a connection
   * lost during the commit may have applied all of it.
   */
  batch(scope: string, statements: readonly Statement[]): Promise<Cells[][]>
  /**
   * Tries groups of statements and keeps nothing: runs `opening`, then each group under a savepoint, so that one which
   * fails is undone alone and the next goes on, then `closing`; at last everything is undone. A conflict or a transient
   * fault ends it and is thrown, and so is any fault of `opening` and `closing`. ONE network round trip. A store
   * without it is asked by batches that undo themselves.
   */
  rehearse?(scope: string, rehearsal: Rehearsal): Promise<Rehearsed>
  /**
   * Runs reads of no scope on every database behind it that is there by itself, to learn whether they answer and have what
   * is read. It wakes no Durable Object and opens no scope's own database. None: a batch without a scope does it.
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

/** Asks a store whether it answers. */
export async function pingStore(store: Store, statements: readonly Statement[]): Promise<void> {
  await (store.ping ? store.ping(statements) : store.batch('', statements))
}

/** What every store takes. */
export interface BatchOptions {
  /** How long one batch may take, in milliseconds; where the database is a file, how long it may wait. */
  readonly batchMsMax?: number
}

/** True for a batch that writes nothing. driftline writes no data from within a WITH. */
export function readsOnly(statements: readonly Statement[]): boolean {
  return statements.every(({ sql }) => /^(SELECT|WITH)\b/.test(sql))
}

/**
 * `aborted`: a statement raised its marker. `refused`: the database does not take these rows (a constraint of the
 * user's own). `conflict`: it lost against another transaction, the same again may work at once. `transient`: it is
 * away, slow, full or overloaded. `broken`: anything else, such as a missing table.
 */
export type FaultKind = 'aborted' | 'refused' | 'conflict' | 'transient' | 'broken'

export class StoreFault extends Error {
  readonly kind: FaultKind
  readonly marker: Marker | undefined

  /** `message` may hold SQL or values: it is for a debugger, never for an answer or a log. `code` is safe. */
  constructor(
    kind: FaultKind,
    more: { message: string; code?: string | undefined; marker?: Marker | undefined; cause?: unknown },
  ) {
    super(more.message, { cause: more.cause })
    this.name = 'StoreFault'
    this.kind = kind
    this.marker = more.marker
    this.code = more.code
  }
  readonly code: string | undefined
}

/** The marker that a driver's message quotes, where a statement raised one. */
export function markerIn(message: string): Marker | undefined {
  return markers.find((marker) => message.includes(marker))
}

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
      if (tries === 5) throw new StoreFault('transient', { message: fault.message, code: fault.code, cause: fault })
      await new Promise((resolve) => setTimeout(resolve, random() * 10 * 2 ** tries))
    }
  }
}
