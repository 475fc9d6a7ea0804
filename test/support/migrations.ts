import { readdirSync } from 'node:fs'
import { ownMigrations } from '../../src/migrations/own.ts'

/** The migrations of the tests' project. */
export const sampleMigrations = new URL('project/migrations/', import.meta.url)

/** The names of the project's migrations, driftline's own first, in order. */
export const migrationNames: readonly string[] = [
  ...ownMigrations.sqlite.map(({ name }) => name),
  ...readdirSync(new URL('sqlite/', sampleMigrations))
    .map((file) => file.replace(/\.sql$/, ''))
    .sort(),
]

/** As commands and the server list them. */
export const migrationList = migrationNames.join(', ')

/** The migrations of a project that began before driftline's own were a stream of their own. */
export const firstProject = new URL('first-project/', import.meta.url)
