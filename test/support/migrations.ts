import { readdirSync } from 'node:fs'

/** The names of the project's migrations, in order. */
export const migrationNames: readonly string[] = readdirSync(new URL('../../migrations/sqlite', import.meta.url))
  .map((file) => file.replace(/\.sql$/, ''))
  .sort()

/** As commands and the server list them. */
export const migrationList = migrationNames.join(', ')
