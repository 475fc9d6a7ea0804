import type { Cells } from '../sql/statement.ts'

/**
 * What makes a database no home for driftline whatever its tables, in sentences: an encoding that
 * cannot hold every text, so that one character would fail whole change sets, or no schema to make
 * tables in. None is read where the database is no Postgres.
 */
export function homeFaults(rows: readonly Cells[]): string[] {
  const [row] = rows
  if (!row) return []
  const [encoding, schema] = row
  return [
    ...(encoding === 'UTF8'
      ? []
      : [
          `The database has the encoding ${encoding}, which cannot hold every text: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.`,
        ]),
    ...(schema === null
      ? ['The schema of DATABASE_URL, or of the search_path, is not there: CREATE SCHEMA makes it.']
      : []),
  ]
}

/** Read with the catalog of a Postgres, and before the first table is made in it. */
export const homeSql = "SELECT current_setting('server_encoding'), current_schema()"
