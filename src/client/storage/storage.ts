import type { Rejection } from '../../model/errors.ts'
import type { WireChange, WireRow } from '../../wire/typed.ts'

/** Where a row is. */
export type RowKey = readonly [table: string, scope: string, id: string]

/** A row as the server told of it last. Without `row` it is deleted there, or was never there. */
export interface Told {
  readonly row?: WireRow
  readonly at: number
  readonly by: string
}

/** A row of the device. */
export interface RowRecord {
  readonly table: string
  readonly scope: string
  readonly id: string
  /** With the changes that wait on top. Absent: deleted. */
  readonly row?: WireRow
  /** The stamp of what the server told, or where changes wait, of the latest of them. */
  readonly at: number
  readonly by: string
  /** Which bootstrap of its scope brought it. */
  readonly gen: number
  /** What the server told, while changes of the row wait. Null: it told nothing of it. */
  readonly base?: Told | null
}

/** A change that waits for its verdict. */
export interface OutboxRecord {
  readonly seq: number
  /** As it goes over the wire, always with its scope. */
  readonly change: WireChange & { readonly scope: string }
  /** Changes of one transaction have one number. */
  readonly tx: number
  /** They apply together, or none of them. */
  readonly atomic?: boolean
  /** It may have reached the server: it is never altered again. */
  readonly sent?: boolean
  /** Answers that were a fault of the server's, while it was alone. */
  readonly tries?: number
  /** When it is tried again, where it is put off. Milliseconds since 1970. */
  readonly after?: number
  /** The row that it was made on. Absent: there was none. */
  readonly before?: WireRow
  /** What the server had told, of the columns that a patch sets, where that is not in `before`. */
  readonly seen?: WireRow
  /** Changes that became part of it. */
  readonly covers?: readonly number[]
  /** Columns of it have lost to another writer already. */
  readonly lost?: boolean
  /** It has had a new stamp after `clock_ahead`. */
  readonly restamped?: boolean
  readonly bytes: number
}

export interface RejectedRecord {
  readonly seq: number
  readonly change: WireChange & { readonly scope: string }
  readonly error: Rejection
  readonly before?: WireRow
  /** When it came back. Milliseconds since 1970. */
  readonly since: number
  readonly covers?: readonly number[]
}

export interface NoticeRecord {
  readonly seq: number
  readonly kind: 'stale' | 'row-deleted' | 'scope-removed'
  readonly table: string
  readonly scope: string
  readonly id: string
  /** What was written here, of the columns that lost. */
  readonly mine: WireRow | null
  /** What is there now. Null: nothing. */
  readonly theirs: WireRow | null
  /** The row that mine was made on. */
  readonly before?: WireRow
  readonly since: number
}

export interface MetaRecord {
  readonly name: string
  readonly value: unknown
}

/** The stores, with the records and keys that they have. */
export interface Stores {
  readonly rows: { readonly record: RowRecord; readonly key: RowKey }
  readonly outbox: { readonly record: OutboxRecord; readonly key: number }
  readonly rejected: { readonly record: RejectedRecord; readonly key: number }
  readonly notices: { readonly record: NoticeRecord; readonly key: number }
  readonly meta: { readonly record: MetaRecord; readonly key: string }
}
export type StoreName = keyof Stores
export const storeNames: readonly StoreName[] = ['rows', 'outbox', 'rejected', 'notices', 'meta']

/**
 * A transaction of the device's database. Nothing else may be awaited within it: IndexedDB would
 * end it.
 */
export interface Transaction {
  /** In the order of the keys. */
  get<S extends StoreName>(store: S, keys: readonly Stores[S]['key'][]): Promise<(Stores[S]['record'] | undefined)[]>
  /** In the order of their keys: of `rows`, those whose key begins so. */
  list<S extends StoreName>(store: S, options?: ListOptions): Promise<Stores[S]['record'][]>
  /** The changes of these rows that wait, in their order. */
  pending(keys: readonly RowKey[]): Promise<OutboxRecord[]>
  put<S extends StoreName>(store: S, records: readonly Stores[S]['record'][]): Promise<void>
  remove<S extends StoreName>(store: S, keys: readonly Stores[S]['key'][]): Promise<void>
}

export interface ListOptions {
  readonly prefix?: readonly string[]
  /** Numbers of records behind this one. */
  readonly after?: number
  readonly limit?: number
}

/** The device's database. */
export interface Database {
  /** Runs `work` in a transaction that sees one state. */
  read<R>(work: (tx: Transaction) => Promise<R>): Promise<R>
  /** Runs `work` in a transaction that is durable once this resolves, whole or not at all. */
  write<R>(work: (tx: Transaction) => Promise<R>): Promise<R>
  close(): Promise<void>
  /** Removes all of it. It is closed then. */
  destroy(): Promise<void>
}

/** Where a client keeps its rows: `indexedDb()`, `sqlite(driver)` or `memory()`. */
export interface Storage {
  /** Views of each table are made, where the database can. */
  open(name: string, tables: readonly StoredTable[]): Promise<Database>
  /** Whether all who may open it are in one browser, which has locks for them. */
  readonly isOfBrowser?: boolean
}

export interface StoredTable {
  readonly name: string
  readonly columns: readonly { readonly name: string }[]
}

export const rowKeyOf = ({ table, scope, id }: { table: string; scope: string; id: string }): RowKey => [
  table,
  scope,
  id,
]
export const keyText = (key: RowKey): string => key.join('\n')
