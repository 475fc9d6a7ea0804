import { advise } from '../migrations/advise.ts'
import { migrate } from '../migrations/apply.ts'
import { check } from '../migrations/check.ts'
import { readMigrations } from '../migrations/read.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'
import { databaseOptions, eachDatabase, readDatabases } from './databases.ts'

/**
 * `npx driftline migrate`: applies to every database of DATABASE_URL the migrations that it has not
 * recorded, and lets the shards know of each other. What is recorded is skipped, so that it goes on
 * where it was stopped. `npx driftline migrate --check`: changes nothing and names what in the
 * databases does not fit the schema. `npx driftline migrate --list`: names the databases, and
 * touches none.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline migrate',
    does: 'Applies to every database of DATABASE_URL the migrations that it has not recorded.',
  }
  const args = readArgs(help, {
    check: { type: 'boolean', default: false, help: 'changes nothing, and names what does not fit the schema' },
    list: { type: 'boolean', default: false, help: 'names the databases, and touches none' },
    ...databaseOptions,
  })
  const { schema, migrations: directory } = await loadApp()
  const { databases, list, jobs } = await readDatabases(args, schema)
  if (args.list) return console.log(list.map(({ name }) => name).join('\n'))
  const migrations = await readMigrations(databases.dialect, directory)
  if (args.check) {
    await eachDatabase(list, jobs, async (store) => {
      const findings = await check(store, schema)
      const advice = await advise(store, schema)
      return {
        lines: [...(findings.length > 0 ? findings : ['The database fits the schema.']), ...advice],
        failed: findings.length > 0,
      }
    })
    return
  }
  const done = await eachDatabase(list, jobs, async (store) => {
    const applied = await migrate(store, migrations)
    const advice = await advise(store, schema)
    return {
      lines: [applied.length > 0 ? `Applied ${applied.join(', ')}` : 'The database is up to date.', ...advice],
      failed: false,
    }
  })
  if (done) await (await databases.open(migrations)).close()
}
