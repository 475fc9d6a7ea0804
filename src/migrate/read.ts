import { readdir, readFile } from 'node:fs/promises'
import type { Migration } from './apply.ts'
import type { DialectName } from './ddl.ts'
import { splitStatements } from './split.ts'

export const migrationsFolder = new URL('../../migrations/', import.meta.url)

/** The migrations of a dialect, in the order of their numbers. */
export async function readMigrations(dialect: DialectName, folder: URL = migrationsFolder): Promise<Migration[]> {
  const files = await migrationFiles(dialect, folder)
  return Promise.all(
    files.map(async (file) => ({
      name: file.slice(0, -'.sql'.length),
      statements: splitStatements(await readFile(new URL(`${dialect}/${file}`, folder), 'utf8')),
    })),
  )
}

/** `0001_init.sql` and so on, sorted. */
export async function migrationFiles(dialect: DialectName, folder: URL = migrationsFolder): Promise<string[]> {
  return (await readdir(new URL(`${dialect}/`, folder))).filter((file) => /^\d{4}_[a-z0-9-]+\.sql$/.test(file)).sort()
}
