import { readFile, writeFile } from 'node:fs/promises'
import { formatLines } from './lines.ts'
import { migrationsDirectory, readMigrations } from './read.ts'

/**
 * migrations/sqlite.json: the migrations of SQLite in one module, for the worker, which has no
 * files to read.
 */
export async function bundleMigrations(directory = migrationsDirectory()): Promise<void> {
  const file = new URL('sqlite.json', directory)
  const text = formatBundle(await readMigrations('sqlite', directory))
  // Left alone where it is as it should be: another build may be reading it.
  if ((await readFile(file, 'utf8').catch(() => '')) !== text) await writeFile(file, text)
}

export function formatBundle(migrations: Awaited<ReturnType<typeof readMigrations>>): string {
  return formatLines(migrations)
}
