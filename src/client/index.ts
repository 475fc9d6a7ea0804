/** The half that runs on the phone: rows, an outbox and a cursor in its own database. */

export { openClient } from './client.ts'
export {
  ClosedError,
  ForbiddenScopeError,
  ForeignDatabaseError,
  InvalidValueError,
  OutboxFullError,
  RejectedError,
  RowMissingError,
  UnsentError,
} from './errors.ts'
export type { Readable } from './readable.ts'
export { memory } from './storage/memory.ts'
export type { Storage } from './storage/storage.ts'
export type {
  Client,
  ClientOptions,
  Codec,
  Lifecycle,
  Local,
  Notice,
  Query,
  RejectedChange,
  Status,
  Table,
  TableChange,
  Transaction,
  Writer,
  Written,
} from './types.ts'
