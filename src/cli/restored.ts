import { parseArgs } from 'node:util'
import { renewIncarnations } from '../migrations/renew.ts'
import { openStore, readDatabaseUrl } from '../node-store.ts'
import { runCommand } from './run.ts'

/**
 * `npm run restored`: run it after a backup was put back, before the server starts again.
 *
 * A restored database has gone back in time, and its clients have not: they hold cursors with positions that it gives
 * out again for other rows. Until it has caught up a cursor ahead of its scope tells; after that nothing does, and a
 * client would pass over the rows between for good. With a new incarnation for each scope every older cursor is
 * answered with 410 `restored`: the client drops the scope's rows, keeps its outbox, and pulls from the beginning (P16).
 */
await runCommand(async () => {
  parseArgs({ options: {} })
  const store = await openStore(readDatabaseUrl(process.env), process.env.DATABASE_AUTH_TOKEN)
  try {
    const count = await renewIncarnations(store)
    console.log(`Renewed ${count} ${count === 1 ? 'scope' : 'scopes'}: clients that hold cursors of them resync.`)
  } finally {
    await store.close()
  }
})
