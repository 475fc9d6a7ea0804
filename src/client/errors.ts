import type { Rejection } from '../model/errors.ts'

/** A value that the server would reject. Nothing was stored. */
export class InvalidValueError extends Error {
  override readonly name = 'InvalidValueError'
  readonly code: string
  constructor(rejection: Pick<Rejection, 'code' | 'detail'>) {
    super(rejection.detail)
    this.code = rejection.code
  }
}

/** There is no row to update. Nothing was stored. */
export class RowMissingError extends Error {
  override readonly name = 'RowMissingError'
  constructor(table: string) {
    super(`${table} has no row with this id in this scope: insert it.`)
  }
}

/** The token grants no writing of the scope. Nothing was stored. */
export class ForbiddenScopeError extends Error {
  override readonly name = 'ForbiddenScopeError'
  constructor() {
    super('The token does not grant writing into this scope.')
  }
}

/** The outbox, a change or a transaction is beyond its limit. Nothing was stored. */
export class OutboxFullError extends Error {
  override readonly name = 'OutboxFullError'
}

/** Changes wait that the server does not have, and would be lost. */
export class UnsentError extends Error {
  override readonly name = 'UnsentError'
  readonly count: number
  constructor(count: number) {
    super(
      `${count} changes have not reached the server. Sync them, or save them by unsent(), or destroy with { discard: true }.`,
    )
    this.count = count
  }
}

/** The server has rejected the change, or somebody has discarded it. It is in `client.rejected`. */
export class RejectedError extends Error {
  override readonly name = 'RejectedError'
  readonly code: string
  readonly rejection: Rejection | undefined
  constructor(code: string, detail: string, rejection?: Rejection) {
    super(detail)
    this.code = code
    this.rejection = rejection
  }
}

/**
 * The database is damaged, or is of something else, or of another scope. It is left as it is.
 */
export class ForeignDatabaseError extends Error {
  override readonly name = 'ForeignDatabaseError'
}

/** The client is closed. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError'
  constructor() {
    super('The client is closed.')
  }
}
