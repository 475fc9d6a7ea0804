import type { Column } from './column.ts'

type Columns = { readonly [column: string]: Column }

/**
 * A table of somebody else (ADOPT): an ORM's, a backend's. driftline syncs it and adds no column to
 * it; what it keeps of a row lies beside it, in side rows.
 */
export interface Adopted extends AppTable {
  /**
   * What syncing it takes, see src/sync/adopted/engine.ts: it comes with the declaration, so that
   * an app that adopts no table does not carry it.
   */
  readonly engine: object
}

/** The table itself, and how its rows are those of driftline. */
export interface AppTable {
  /** The schema that the table is in. Undefined: the one that the connection finds first. */
  readonly schema: string | undefined
  readonly table: string
  /** The column whose text is the id, and its kind. */
  readonly key: string
  readonly keyType: KeyType
  /** What says the scope of a row. Where it is NULL the row is not synced. */
  readonly scope: ScopeSource
  /** The column that says when a row was deleted, where deleted rows stay. */
  readonly softDelete: string | undefined
  /** The columns of each further unique key. */
  readonly unique: readonly (readonly string[])[]
}

export type KeyType = 'uuid' | 'text' | 'integer'
export type ScopeSource = { readonly column: string } | SqlText

/** An expression in the SQL of the database. */
export interface SqlText {
  readonly sql: string
}

/** Stands beside the columns of a table that is adopted. */
export const adoptedMark = Symbol.for('driftline.adopted')

/** Names as they are in the app's database, whatever case they have. None needs an escape. */
const ownName = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/
export const isOwnName = (name: unknown): name is string => typeof name === 'string' && ownName.test(name)

/** What a declaration says of the table that it adopts. */
export const adoptedOf = (columns: Columns): Adopted | undefined =>
  (columns as { readonly [adoptedMark]?: Adopted })[adoptedMark]

const uuidText = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * What is wrong with an id that a put, patch or delete brings, in words that follow "must be": the
 * text of a key as every database prints it.
 */
export function keyFault({ keyType }: Adopted, id: string): string | undefined {
  if (keyType === 'uuid') return uuidText.test(id) ? undefined : 'a UUID in lower case'
  if (keyType === 'integer')
    return /^(?:0|-?[1-9][0-9]{0,15})$/.test(id) && Number.isSafeInteger(Number(id)) ? undefined : 'an integer'
  return undefined
}
