import { readdir, readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { type DialectName, dialectNames } from './ddl.ts'
import { isDraft } from './draft-line.ts'
import type { Migration } from './migration.ts'
import { joinStreams } from './own.ts'
import { refuseRollbacks } from './rollback.ts'
import { splitParts } from './split.ts'
import { checkTouches, expandTouches } from './touch.ts'

/** The folder of an app's migrations where none is said: `migrations/` where the process is. */
export const migrationsDirectory = (): URL => pathToFileURL('migrations/')

/**
 * The migrations of a dialect, driftline's own among them, in order. Throws a `TypeError` that
 * names the file which cannot be read as one.
 */
export async function readMigrations(dialect: DialectName, directory = migrationsDirectory()): Promise<Migration[]> {
  const names = await readNames(dialect, directory)
  const files = await Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(new URL(`${dialect}/${name}.sql`, directory), 'utf8') })),
  )
  const before: string[] = []
  const ofApp = files.map(({ name, sql }) => {
    try {
      const parts = splitParts(sql, dialect)
      checkTouches(parts, before)
      const statements = expandTouches(parts, dialect)
      if (dialect === 'sqlite') refuseRollbacks(statements)
      before.push(...statements)
      return { name, statements }
    } catch (error) {
      throw new TypeError(`migrations/${dialect}/${name}.sql: ${error instanceof Error ? error.message : error}`)
    }
  })
  return joinStreams(dialect, ofApp)
}

/**
 * The files that nobody has finished, by their paths. Each stops whoever reads the migrations of
 * its dialect.
 */
export async function findDrafts(directory = migrationsDirectory()): Promise<string[]> {
  const files: string[] = []
  for (const dialect of dialectNames) {
    for (const name of await readNames(dialect, directory)) {
      const file = `${dialect}/${name}.sql`
      if (isDraft(await readFile(new URL(file, directory), 'utf8'))) files.push(`migrations/${file}`)
    }
  }
  return files
}

/**
 * The names of a dialect's migrations, without .sql, in order. None where the folder is not there.
 */
export async function readNames(dialect: DialectName, directory = migrationsDirectory()): Promise<string[]> {
  const files = await readdir(new URL(`${dialect}/`, directory)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const names = files.filter((file) => file.endsWith('.sql')).map((file) => file.slice(0, -'.sql'.length))
  const odd = names.find((name) => !/^\d{4}_[a-z0-9-]+$/.test(name))
  if (odd !== undefined) throw new TypeError(`migrations/${dialect}/${odd}.sql must be named like 0002_add-notes.sql`)
  return names.sort()
}
