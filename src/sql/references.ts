import { groupBy } from '../model/group-by.ts'
import type { Cells, Statement } from './statement.ts'

/** A foreign key of the user's own to a synced table. */
export interface Reference {
  /** The table that is referred to. */
  readonly parent: string
  /** As SQL, quoted. */
  readonly child: string
  readonly isChildSynced: boolean
  /** Names of the child's columns, and of those that they refer to. */
  readonly columns: readonly (readonly [of: string, at: string])[]
  /**
   * What the database does to the child where the parent's row is removed; undefined where it
   * refuses that.
   */
  readonly onDelete: 'CASCADE' | 'SET NULL' | 'SET DEFAULT' | undefined
}

/**
 * [names of the synced tables as JSON] → parent, child, whether it is synced, key, column of the
 * child, column of the parent, rule.
 */
const queries = {
  postgres: `SELECT parent$.name, format('%I.%I', space$.nspname, table$.relname), CASE WHEN child$.name IS NULL THEN 0 ELSE 1 END, key$.oid::text, of$.attname, at$.attname,
CASE key$.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END
FROM json_array_elements_text($1::json) AS parent$ (name)
JOIN pg_constraint AS key$ ON key$.contype = 'f' AND key$.conparentid = 0 AND key$.confrelid = to_regclass(quote_ident(parent$.name))
JOIN pg_class AS table$ ON table$.oid = key$.conrelid JOIN pg_namespace AS space$ ON space$.oid = table$.relnamespace
CROSS JOIN unnest(key$.conkey, key$.confkey) WITH ORDINALITY AS pair$ (of, at, place)
JOIN pg_attribute AS of$ ON of$.attrelid = key$.conrelid AND of$.attnum = pair$.of
JOIN pg_attribute AS at$ ON at$.attrelid = key$.confrelid AND at$.attnum = pair$.at
LEFT JOIN json_array_elements_text($1::json) AS child$ (name) ON to_regclass(quote_ident(child$.name)) = key$.conrelid
ORDER BY parent$.name, key$.oid, pair$.place`,
  // A Durable Object keeps tables of its own, which nobody may look into. The engine compares names
  // without their case.
  sqlite: `SELECT parent$.value, concat('"', replace(tables$.name, '"', '""'), '"'), tables$.name IN (SELECT value FROM json_each(?1)), concat(tables$.name, ' ', keys$.id), keys$."from",
coalesce(keys$."to", (SELECT columns$.name FROM pragma_table_info(keys$."table") AS columns$ WHERE columns$.pk = keys$.seq + 1)), CASE WHEN keys$.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') THEN keys$.on_delete END
FROM (SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_*' AND name NOT GLOB 'sqlite_*' LIMIT -1) AS tables$ CROSS JOIN pragma_foreign_key_list(tables$.name) AS keys$
JOIN json_each(?1) AS parent$ ON parent$.value = lower(keys$."table") ORDER BY parent$.value, tables$.name, keys$.id, keys$.seq`,
}

export function readReferences(
  dialect: 'postgres' | 'sqlite',
  tables: readonly { readonly name: string }[],
): Statement {
  return { sql: queries[dialect], params: [JSON.stringify(tables.map(({ name }) => name))], reads: true }
}

export function referencesOf(rows: readonly Cells[]): readonly Reference[] {
  const keys = groupBy(rows, ([parent, , , key]) => `${parent}\n${key}`)
  return [...keys.values()].flatMap((pairs) => {
    const [first] = pairs
    if (!first) return []
    const [parent, child, isChildSynced, , , , rule] = first
    return [
      {
        parent: String(parent),
        child: String(child),
        isChildSynced: Number(isChildSynced) === 1,
        columns: pairs.map(([, , , , of, at]) => [String(of), String(at)] as const),
        onDelete: (rule ?? undefined) as Reference['onDelete'],
      },
    ]
  })
}
