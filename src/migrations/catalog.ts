import { groupBy } from '../model/group-by.ts'
import type { Cells, Statement } from '../sql/statement.ts'
import type { Store } from '../stores/store.ts'
import type { DialectName } from './ddl.ts'
import { homeFaults, homeSql } from './home.ts'

/** What a database holds of one table, in either dialect. */
export interface FoundTable {
  readonly columns: ReadonlyMap<string, FoundColumn>
  /**
   * The columns of each index that holds all rows, in its order. `unique`: such that ON CONFLICT
   * can use it.
   */
  readonly indexes: readonly FoundIndex[]
  /** Those that are unique, of all rows or of those that live. */
  readonly keys: readonly FoundIndex[]
  /** Whether the table holds to its types: always in Postgres, in SQLite where it is STRICT. */
  readonly strict: boolean
}

export interface FoundIndex {
  readonly unique: boolean
  readonly columns: readonly string[]
}

export interface FoundColumn {
  readonly type: string
  readonly notNull: boolean
  readonly hasDefault: boolean
  /** Whether it is compared byte by byte. */
  readonly ordered: boolean
  /** Whether the database computes it, and takes no value. */
  readonly generated: boolean
}

/**
 * What the connection finds in its database: the named tables, and what makes it no home for any,
 * in sentences.
 */
export interface Catalog {
  readonly tables: ReadonlyMap<string, FoundTable>
  readonly homeless: readonly string[]
}

/** In one round trip. */
export async function readCatalog(store: Store, tables: readonly string[]): Promise<Catalog> {
  const names = JSON.stringify(tables)
  const statements = queries[store.dialect.name].map((sql): Statement => ({ sql, params: [names], reads: true }))
  if (store.dialect.name === 'postgres') statements.push({ sql: homeSql, params: [], reads: true })
  const [columnRows = [], indexRows = [], homeRows = []] = await store.batch('', statements)
  return { tables: readTables(columnRows, indexRows), homeless: homeFaults(homeRows) }
}

function readTables(columnRows: readonly Cells[], indexRows: readonly Cells[]): ReadonlyMap<string, FoundTable> {
  return new Map(
    [...groupBy(columnRows, first)].map(([table, rows]) => {
      const indexes = [
        ...groupBy(
          indexRows.filter((row) => row[0] === table).map((row) => row.slice(1)),
          first,
        ).values(),
      ]
      const found: FoundTable = {
        columns: new Map(
          rows.map(([, name, type, notNull, hasDefault, ordered, , generated]) => [
            String(name),
            {
              ...{ type: String(type), notNull: isTrue(notNull), hasDefault: isTrue(hasDefault) },
              ...{ ordered: isTrue(ordered), generated: isTrue(generated) },
            },
          ]),
        ),
        indexes: indexes.filter(([row]) => String(row?.[4]) === 'all').map(toIndex),
        keys: indexes
          .filter(([row]) => String(row?.[4]) !== 'some')
          .map(toIndex)
          .filter(({ unique }) => unique),
        strict: rows.every((row) => isTrue(row[6])),
      }
      return [table, found]
    }),
  )
}

const toIndex = (keys: readonly Cells[]): FoundIndex => ({
  unique: keys.every(([, unique]) => isTrue(unique)),
  columns: keys.toSorted((a, b) => Number(a[2]) - Number(b[2])).map(([, , , column]) => String(column)),
})

const first = (row: Cells) => String(row[0])

/** Truth travels as 0 and 1: drivers disagree about everything else. */
const isTrue = (cell: Cells[number] | undefined) => Number(cell) === 1

/**
 * [names as JSON] → table, column, type, not null, has a default, ordered, strict, generated; and →
 * table, index, unique, place, column, and whether it is of all rows, of living ones, or of some.
 * In Postgres of the tables that the connection's search_path finds, which need not be in public.
 */
const queries: { readonly [name in DialectName]: readonly [columns: string, indexes: string] } = {
  postgres: [
    `SELECT n.name, a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 1 ELSE 0 END,
CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 1 ELSE 0 END, CASE WHEN l.collname IN ('C', 'POSIX') THEN 1 ELSE 0 END, 1,
CASE WHEN a.attgenerated <> '' THEN 1 ELSE 0 END
FROM json_array_elements_text($1::json) AS n (name)
JOIN pg_attribute AS a ON a.attrelid = to_regclass(quote_ident(n.name)) AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_collation AS l ON l.oid = a.attcollation`,
    `SELECT n.name, i.indexrelid::text, CASE WHEN i.indisunique AND i.indimmediate THEN 1 ELSE 0 END, k.place, a.attname,
CASE WHEN i.indpred IS NULL THEN 'all' WHEN pg_get_expr(i.indpred, i.indrelid) = '(NOT deleted)' THEN 'living' ELSE 'some' END
FROM json_array_elements_text($1::json) AS n (name)
JOIN pg_index AS i ON i.indrelid = to_regclass(quote_ident(n.name)) AND i.indisvalid
JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE k.place <= i.indnkeyatts`,
  ],
  sqlite: [
    `SELECT n.value, c.name, c.type, CASE WHEN c."notnull" THEN 1 ELSE 0 END, c.dflt_value IS NOT NULL OR c.hidden > 1, 1 AS ordered, l.strict, c.hidden > 1
FROM json_each(?1) AS n JOIN pragma_table_list AS l ON l.name = n.value AND l.schema = 'main'
CROSS JOIN pragma_table_xinfo(n.value) AS c`,
    `SELECT n.value, i.name, i."unique", k.seqno, k.name,
CASE WHEN NOT i.partial THEN 'all' WHEN (SELECT lower(sql) FROM sqlite_schema WHERE type = 'index' AND name = i.name) LIKE '%where not deleted' THEN 'living' ELSE 'some' END
FROM json_each(?1) AS n CROSS JOIN pragma_index_list(n.value) AS i CROSS JOIN pragma_index_info(i.name) AS k`,
  ],
}
