import type { Rejection } from '../model/errors.ts'
import type { Op } from '../model/stamp.ts'
import type { PatchRow, PutRow, Row, Schema, TableName } from '../model/table.ts'
import type { WireChange, WireRow } from '../wire/typed.ts'
import type { LoopStatus } from './loop/loop.ts'
import type { Readable } from './readable.ts'
import type { Storage } from './storage/storage.ts'

/** What a client needs to know. */
export interface ClientOptions<S extends Schema> {
  /** The server's schema. */
  readonly schema: S
  /** Where the server is, such as `https://api.example`: `/v1/sync` is below it. */
  readonly url: string
  readonly storage: Storage
  /** The user's own scope: where a row without a scope goes. It names the database. */
  readonly scope: string
  /** A token that is valid now. `refused`: the last one was not taken. Null: signed out for now. */
  token(why: { readonly refused: boolean }): string | null | Promise<string | null>
  readonly fetch?: typeof fetch
  /** Null: no live connection, and others' changes come with the next round. */
  readonly WebSocket?: typeof WebSocket | null
  /** Whether bodies can be read while they come. */
  readonly stream?: boolean
  /** When the app comes to the front, and when the network is there, where no browser tells. */
  readonly lifecycle?: Lifecycle
  /** Changes on their way out and in, such as encrypted ones. */
  readonly codec?: Codec
}

export interface Lifecycle {
  onForeground(go: () => void): () => void
  onOnline(go: (online: boolean) => void): () => void
}

export interface Codec {
  encode(change: WireChange): Promise<WireChange>
  decode(change: WireChange): Promise<WireChange>
}

/** A row of the device: every column, and where it is. */
export type Local<S extends Schema, T extends TableName<S>> = Row<S, T> & {
  readonly id: string
  readonly scope: string
}

/** Where, if not in the user's own scope. */
export interface In {
  readonly scope?: string
}

export interface Confirmable {
  /**
   * Resolves with the server's verdict: `stale` where a later change of somebody else stands.
   * Rejects with a `RejectedError`.
   */
  confirmed(): Promise<'applied' | 'stale'>
}

export interface Written extends Confirmable {
  readonly id: string
}

/** Edits of a table. Each is durable, and seen by reads, once its promise resolves. */
export interface Writer<S extends Schema, T extends TableName<S>> {
  /** Writes a whole row. An id is made where none is given (UUIDv7). */
  insert(row: PutRow<S, T> & { readonly id?: string }, options?: In): Promise<Written>
  /** Writes some columns of a row that is there, else throws a `RowMissingError`. */
  update(id: string, row: PatchRow<S, T>, options?: In): Promise<Written>
  delete(id: string, options?: In): Promise<Written>
}

export type ColumnName<S extends Schema, T extends TableName<S>> = keyof Local<S, T> & string

export interface Query<S extends Schema, T extends TableName<S>> extends In {
  /** Values that the columns have, or a function of a row. */
  readonly where?: Partial<Local<S, T>> | ((row: Local<S, T>) => boolean)
  readonly orderBy?: readonly (ColumnName<S, T> | readonly [ColumnName<S, T>, 'desc'])[]
  readonly limit?: number
}

export type TableChange<S extends Schema, T extends TableName<S>> = {
  readonly scope: string
  readonly id: string
  /** Absent: deleted. */
  readonly row?: Local<S, T>
}

export interface Table<S extends Schema, T extends TableName<S>> extends Writer<S, T> {
  get(id: string, options?: In): Promise<Local<S, T> | undefined>
  /** The rows of all scopes, or of one, kept up to date. Undefined until they are read. */
  query(query?: Query<S, T>): Readable<Local<S, T>[] | undefined> & { rows(): Promise<Local<S, T>[]> }
  state(id: string, options?: In): Promise<'synced' | 'pending' | 'rejected' | undefined>
  /** Tells of every change of the table. `'all'`: too much has changed to name it. */
  onChange(listener: (change: 'all' | readonly TableChange<S, T>[]) => void): () => void
}

export interface Status extends Pick<LoopStatus, 'state' | 'phase' | 'retryAt' | 'error'> {
  /** Changes that have no verdict yet. */
  readonly pending: number
  readonly rejected: number
  readonly notices: number
  /** The server has every change, and the last pull was complete. */
  readonly upToDate: boolean
  readonly live: boolean
  /** Milliseconds since 1970. */
  readonly lastSyncedAt: number | null
  readonly progress: { readonly done: number; readonly total: number | null } | null
}

/** A change that the server has rejected. */
export interface RejectedChange<S extends Schema = Schema> {
  /** What `retry` and `discard` take. */
  readonly id: number
  readonly table: TableName<S>
  readonly scope: string
  readonly rowId: string
  readonly op: Op
  readonly row: WireRow | undefined
  readonly error: Rejection
  /** The row that it was made on. */
  readonly before: WireRow | undefined
  readonly since: number
}

/** Something of a change was lost to somebody else's, and the user may want to see it. */
export interface Notice<S extends Schema = Schema> {
  /** What `restore` and `dismiss` take. */
  readonly id: number
  readonly kind: 'stale' | 'row-deleted' | 'scope-removed'
  readonly table: TableName<S>
  readonly scope: string
  readonly rowId: string
  /** What was written here and lost. Null: it was deleted here. */
  readonly mine: WireRow | null
  /** What stands instead. Null: nothing. */
  readonly theirs: WireRow | null
  readonly since: number
}

export type Transaction<S extends Schema> = { readonly [T in TableName<S>]: Writer<S, T> }

export interface Client<S extends Schema> {
  readonly tables: { readonly [T in TableName<S>]: Table<S, T> }
  /** Stores all that `work` writes in one transaction, or nothing where it throws. */
  transaction<R>(
    work: (tx: Transaction<S>) => R | Promise<R>,
    options?: { readonly atomic?: boolean },
  ): Promise<{ readonly result: R } & Confirmable>
  readonly status: Readable<Status>
  /** All scopes have been pulled once. */
  readonly firstSync: Promise<void>
  readonly rejected: Readable<readonly RejectedChange<S>[]> & {
    retry(id: number, edit?: object): Promise<Written>
    discard(id: number): Promise<void>
  }
  readonly notices: Readable<readonly Notice<S>[]> & {
    restore(id: number): Promise<Written>
    dismiss(id: number): Promise<void>
  }
  /** A round at once, and the status after it. */
  sync(options?: { readonly timeoutMs?: number }): Promise<Status>
  pause(): void
  resume(): void
  /** The changes that wait, as lines for `POST /v1/import`, to rescue a device. */
  unsent(): Promise<string>
  close(): Promise<void>
  /** Removes all that the device holds. Throws an `UnsentError` while changes wait. */
  destroy(options?: { readonly discard?: boolean }): Promise<void>
}
