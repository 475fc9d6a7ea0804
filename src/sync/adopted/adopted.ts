import {
  type Adopted,
  adoptedMark,
  isOwnName,
  type KeyType,
  type ScopeSource,
  type SqlText,
} from '../../model/adopted.ts'
import type { TableColumns } from '../../model/table.ts'
import { engine } from './engine.ts'

/** An expression over the columns of a table: `sql("'team:' || team_id")`. */
export const sql = (text: string): SqlText => ({ sql: text })

interface AdoptedOptions<Own extends TableColumns> {
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

/**
 * A table that exists already: `adopted('public.tasks', { key: 'id', scope: 'user_id', columns: {
 * title: text() } })`. Any SQL may write it, and phones hear of it. Throws a `TypeError` that says
 * what to write instead.
 */
export function adopted<const Own extends TableColumns>(
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
  const said: Adopted = { schema, table, key, keyType, scope: source, softDelete, unique, engine }
  return { ...columns, [adoptedMark]: said }
}

const keyTypes: readonly KeyType[] = ['uuid', 'text', 'integer']
