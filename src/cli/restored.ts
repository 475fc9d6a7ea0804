import { renewIncarnations } from '../migrations/new-incarnations.ts'
import { readMigrations } from '../migrations/read.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'
import { databaseOptions, eachDatabase, readDatabases } from './databases.ts'

/**
 * `npx driftline restored`: run it after a backup was put back, before the server starts again.
 *
 * A restored database has gone back in time, and its clients have not: they hold cursors with
 * positions that it gives out again for other rows. Until it has caught up a cursor ahead of its
 * scope tells; after that nothing does, and a client would pass over the rows between for good.
 * With a new incarnation for each scope every older cursor is answered with 410 `restored`: the
 * client drops the scope's rows, keeps its outbox, and pulls from the beginning (P16).
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline restored',
    does: 'Run it after a backup was put back into DATABASE_URL, before the server starts again: clients resync.',
  }
  const args = readArgs(help, databaseOptions)
  const { schema, migrations } = await loadApp()
  const { databases, list, jobs } = await readDatabases(args, schema)
  const done = await eachDatabase(list, jobs, async (store) => {
    const count = await renewIncarnations(store)
    const scopes = count === 1 ? 'scope' : 'scopes'
    return { lines: [`Renewed ${count} ${scopes}: clients that hold cursors of them resync.`], failed: false }
  })
  // A directory of shards that went back in time has forgotten where the scopes since then are at
  // home.
  if (done)
    await (await databases.open(await readMigrations(databases.dialect, migrations), { restored: true })).close()
}
