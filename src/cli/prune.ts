import { prune } from '../prune/prune.ts'
import { parseRetention, retentionMsDefault } from '../prune/retention.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'
import { databaseOptions, eachDatabase, readDatabases } from './databases.ts'

/**
 * `npx driftline prune`: removes from every database of DATABASE_URL the tombstones that are older
 * than RETENTION, once. `npx driftline prune --retention 0d`: all of them.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline prune',
    does: 'Removes from every database of DATABASE_URL the tombstones that are older than RETENTION, once.',
  }
  const args = readArgs(help, {
    retention: { type: 'string', help: 'how old they must be instead: 90d, 12h; 0d is all of them' },
    ...databaseOptions,
  })
  const [name, text] = args.retention ? ['--retention', args.retention] : ['RETENTION', process.env.RETENTION]
  const retentionMs = text ? parseRetention(name, text) : retentionMsDefault
  const { schema } = await loadApp()
  const { list, jobs } = await readDatabases(args, schema)
  await eachDatabase(list, jobs, async (store) => {
    const { scopes, tombstones } = await prune(store, schema, { retentionMs })
    return { lines: [`Pruned ${tombstones} tombstones of ${scopes} scopes.`], failed: false }
  })
}
