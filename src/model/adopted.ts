import type { Column } from './column.ts'

type Columns = { readonly [column: string]: Column }

/**
 * A table of somebody else (ADOPT): an ORM's, a backend's. driftline syncs it and adds no column to
 * it; what it keeps of a row lies beside it, in side rows.
 */
export interface Adopted {
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

/** An expression over the columns of a table: `sql("'team:' || team_id")`. */
export const sql = (text: string): SqlText => ({ sql: text })

interface AdoptedOptions<Own extends Columns> {
  /** A unique column that is NOT NULL. Its text is the id. */
  readonly key: string
  /** What the key is: uuid unless it is said. */
  readonly keyType?: KeyType
  /** The column whose text is the scope, which driftline sets, or an expression. */
  readonly scope: string | SqlText
  /** The column with the time when a row was deleted, where deleting is an UPDATE. */
  readonly softDelete?: string
  /**
   * Further unique keys of the table, each by its columns: `[['email'], ['list_id', 'place']]`.
   * SQLite tells no trigger of the rows that REPLACE removes for them, so they are looked up.
   * Postgres needs none of it.
   */
  readonly unique?: readonly (readonly string[])[]
  readonly columns: Own
}

/** Stands beside the columns of a table that is adopted. */
export const adoptedMark = Symbol.for('driftline.adopted')

/**
 * A table that exists already: `adopted('public.tasks', { key: 'id', scope: 'user_id', columns: {
 * title: text() } })`. Any SQL may write it, and phones hear of it. Throws a `TypeError` that says
 * what to write instead.
 */
export function adopted<const Own extends Columns>(
  name: string,
  { key, keyType = 'uuid', scope, softDelete, unique = [], columns }: AdoptedOptions<Own>,
): Own {
  const parts = name.split('.')
  const [table = '', schema] = parts.toReversed()
  if (parts.length > 2 || !parts.every(isOwnName))
    throw new TypeError(`adopted() needs the name of a table, such as 'public.tasks', and not ${JSON.stringify(name)}`)
  if (!keyTypes.includes(keyType)) throw new TypeError(`adopted(): keyType must be one of ${keyTypes.join(', ')}`)
  const named = { key, ...(softDelete !== undefined && { softDelete }), ...(typeof scope === 'string' && { scope }) }
  for (const [what, column] of Object.entries(named))
    if (!isOwnName(column)) throw new TypeError(`adopted(): ${what} of ${name} must be the name of a column`)
  if (typeof scope !== 'string' && typeof scope?.sql !== 'string')
    throw new TypeError(`adopted(): scope of ${name} must be the name of a column, or sql('an expression')`)
  if (!Array.isArray(unique) || !unique.every((one) => Array.isArray(one) && one.length > 0 && one.every(isOwnName)))
    throw new TypeError(`adopted(): unique of ${name} must be lists of columns, such as [['email']]`)
  const source: ScopeSource = typeof scope === 'string' ? { column: scope } : { sql: scope.sql }
  const said: Adopted = { schema, table, key, keyType, scope: source, softDelete, unique }
  return { ...columns, [adoptedMark]: said }
}

const keyTypes: readonly KeyType[] = ['uuid', 'text', 'integer']

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
