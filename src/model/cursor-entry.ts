import type { Known } from './view.ts'

/** How far a client has read one scope. */
export interface CursorEntry {
  /** The scope's history. Null: the scope had never been written when it was read. */
  readonly incarnation: string | null
  /** Every row up to here was handed out. */
  readonly position: number
  /**
   * The scope's position when the bootstrap began: tombstones up to here are left out, the client
   * never held their rows.
   */
  readonly start: number
  /**
   * The columns with which those rows were handed out. Absent in cursors of before: they count as
   * handed out with all.
   */
  readonly known?: Known | undefined
  /** More columns, with which they are being handed out again, and up to where that was done. */
  readonly learning?: { readonly known: Known; readonly position: number } | undefined
}

/** What a client has read, scope by scope. A scope that is missing here bootstraps by itself. */
export type Cursor = ReadonlyMap<string, CursorEntry>

/** The state of a scope in the database, as the cursor is held against it. */
export interface ScopeHead {
  readonly incarnation: string
  readonly position: number
  /** Tombstones up to here may have been pruned. */
  readonly watermark: number
}
