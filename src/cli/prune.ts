import { parseArgs } from 'node:util'
import { openStore, readDatabaseUrl } from '../node-store.ts'
import { prune } from '../prune.ts'
import { parseRetention, retentionMsDefault } from '../retention.ts'
import { schema } from '../schema.ts'
import { runCommand } from './run.ts'

/**
 * `npm run prune`: removes the tombstones of the database of DATABASE_URL that are older than RETENTION, once.
 * `npm run prune -- --retention 0d`: all of them.
 */
await runCommand(async () => {
  const { values } = parseArgs({ options: { retention: { type: 'string' } } })
  const text = values.retention ?? process.env.RETENTION
  const name = values.retention === undefined ? 'RETENTION' : '--retention'
  const retentionMs = text ? parseRetention(name, text) : retentionMsDefault
  const store = await openStore(readDatabaseUrl(process.env), process.env.DATABASE_AUTH_TOKEN)
  try {
    const { scopes, tombstones } = await prune(store, schema, { retentionMs })
    console.log(`Pruned ${tombstones} tombstones of ${scopes} scopes.`)
  } finally {
    await store.close()
  }
})
