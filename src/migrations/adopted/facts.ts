import type { AdoptedTable } from '../../model/table.ts'
import { adoptedInPostgres } from '../../sql/postgres/adopted.ts'
import { adoptedInSqlite } from '../../sql/sqlite/adopted.ts'
import type { Store } from '../../stores/store.ts'

/** What a database says of a table of the app, and of what driftline keeps beside it. */
export interface AdoptedFacts {
  /**
   * r: a table, v: a view, m: a materialized one, f: a foreign table, p: one that is partitioned.
   * Null: there is none.
   */
  readonly kind: 'r' | 'v' | 'm' | 'f' | 'p' | null
  /** Whether the side rows are there. */
  readonly side: boolean
  readonly columns: readonly FoundColumn[]
  /** The columns that are unique each by itself. */
  readonly unique: readonly string[]
  readonly triggers: readonly FoundTrigger[]
  readonly role: string
  /** What this connection may not do with it. */
  readonly lacks: readonly string[]
  /** Whether row level security filters what this connection sees. */
  readonly filtered: boolean
  readonly subscriptions: readonly string[]
  /** Whether a foreign key of it is checked at the commit, where no statement may ask earlier. */
  readonly deferred: boolean
}

interface FoundColumn {
  readonly name: string
  readonly type: string
  readonly notNull: boolean
  readonly hasDefault: boolean
  /** The database makes its values: generated, or an identity that takes no other. */
  readonly made: boolean
}

interface FoundTrigger {
  readonly name: string
  readonly enabled: boolean
  /** The body of its function in Postgres, and all of it in SQLite. */
  readonly text: string
}

/** In one round trip, of all tables. */
export async function readFacts(
  store: Store,
  tables: readonly AdoptedTable[],
): Promise<ReadonlyMap<string, AdoptedFacts>> {
  const { name } = store.dialect
  const spelling = name === 'postgres' ? adoptedInPostgres : adoptedInSqlite
  const asked = tables.map((table) => ({
    name: table.name,
    app: name === 'postgres' ? spelling.app(table.adopted) : table.adopted.table,
    side: name === 'postgres' ? spelling.side(table) : `driftline_rows_${table.name}`,
  }))
  const sql = name === 'postgres' ? postgresFacts : sqliteFacts
  const [rows = []] = await store.batch('', [{ sql, params: [JSON.stringify(asked)], reads: true }])
  return new Map(rows.map(([table, facts]) => [String(table), readOne(String(facts))]))
}

/** SQLite says true by 1. */
function readOne(text: string): AdoptedFacts {
  const facts = JSON.parse(text) as AdoptedFacts
  const columns = (facts.columns ?? []).map(({ notNull, hasDefault, made, ...rest }) => ({
    ...rest,
    ...{ notNull: Boolean(notNull), hasDefault: Boolean(hasDefault), made: Boolean(made) },
  }))
  return {
    ...facts,
    columns,
    unique: facts.unique ?? [],
    triggers: facts.triggers ?? [],
    side: Boolean(facts.side),
    deferred: Boolean(facts.deferred),
  }
}

const postgresFacts = `SELECT asked.value ->> 'name', json_build_object(
'kind', c.relkind, 'side', to_regclass(asked.value ->> 'side') IS NOT NULL, 'role', current_user,
'columns', (SELECT json_agg(json_build_object('name', a.attname, 'type', coalesce(b.typname, t.typname), 'notNull', a.attnotnull,
  'hasDefault', a.atthasdef OR a.attidentity <> '', 'made', a.attgenerated <> '' OR a.attidentity = 'a') ORDER BY a.attnum)
  FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_type AS b ON t.typtype = 'd' AND b.oid = t.typbasetype
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
'unique', (SELECT json_agg(a.attname) FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indnkeyatts = 1 AND i.indpred IS NULL),
'triggers', (SELECT json_agg(json_build_object('name', g.tgname, 'enabled', g.tgenabled IN ('O', 'A'), 'text', f.prosrc))
  FROM pg_trigger AS g JOIN pg_proc AS f ON f.oid = g.tgfoid WHERE g.tgrelid = c.oid AND starts_with(g.tgname, 'driftline_')),
'lacks', (SELECT coalesce(json_agg(p), '[]'::json) FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
  WHERE NOT has_table_privilege(c.oid, p) AND NOT (p <> 'DELETE' AND has_any_column_privilege(c.oid, p))),
'filtered', CASE WHEN c.relkind IN ('r', 'p') THEN row_security_active(c.oid) ELSE false END,
'subscriptions', (SELECT coalesce(json_agg(s.subname), '[]'::json) FROM pg_subscription_rel AS r JOIN pg_subscription AS s ON s.oid = r.srsubid WHERE r.srrelid = c.oid),
'deferred', false)::text
FROM json_array_elements($1::json) AS asked (value) LEFT JOIN pg_class AS c ON c.oid = to_regclass(asked.value ->> 'app')`

const asked = (what: string) => `json_extract(asked.value, '$.${what}')`
const sqliteFacts = `SELECT ${asked('name')}, json_object(
'kind', CASE l.type WHEN 'table' THEN 'r' WHEN 'view' THEN 'v' WHEN 'virtual' THEN 'f' END, 'role', '', 'lacks', json('[]'), 'filtered', json('false'), 'subscriptions', json('[]'),
'side', EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ${asked('side')}),
'columns', (SELECT json_group_array(json_object('name', c.name, 'type', c.type, 'notNull', c."notnull" OR (c.pk > 0 AND (l.strict OR l.wr OR upper(c.type) = 'INTEGER')), 'hasDefault', c.dflt_value IS NOT NULL OR c.hidden > 1 OR (c.pk > 0 AND upper(c.type) = 'INTEGER'), 'made', c.hidden > 1)) FROM pragma_table_xinfo(${asked('app')}) AS c),
'unique', (SELECT json_group_array(name) FROM (
  SELECT k.name FROM pragma_index_list(${asked('app')}) AS i CROSS JOIN pragma_index_info(i.name) AS k WHERE i."unique" AND NOT i.partial AND (SELECT count(*) FROM pragma_index_info(i.name)) = 1
  UNION SELECT c.name FROM pragma_table_info(${asked('app')}) AS c WHERE c.pk = 1 AND (SELECT max(pk) FROM pragma_table_info(${asked('app')})) = 1)),
'triggers', (SELECT json_group_array(json_object('name', g.name, 'enabled', json('true'), 'text', g.sql)) FROM sqlite_schema AS g WHERE g.type = 'trigger' AND g.tbl_name = ${asked('app')} AND g.name LIKE 'driftline!_%' ESCAPE '!'),
'deferred', coalesce((SELECT s.sql FROM sqlite_schema AS s WHERE s.type = 'table' AND s.name = ${asked('app')}) LIKE '%INITIALLY DEFERRED%', 0))
FROM json_each(?1) AS asked LEFT JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = ${asked('app')}`
