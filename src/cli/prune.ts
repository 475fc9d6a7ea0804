import { schema } from '../app/schema.ts'
import { prune } from '../prune/prune.ts'
import { parseRetention, retentionMsDefault } from '../prune/retention.ts'
import { readArgs, runCommand } from './command.ts'
import { databaseOptions, eachDatabase, readDatabases } from './databases.ts'

/**
 * `npm run prune`: removes from every database of DATABASE_URL the tombstones that are older than RETENTION, once.
 * `npm run prune -- --retention 0d`: all of them.
 */
await runCommand(async () => {
  const help = {
    name: 'npm run prune',
    does: 'Removes from every database of DATABASE_URL the tombstones that are older than RETENTION, once.',
  }
  const args = readArgs(help, {
    retention: { type: 'string', help: 'how old they must be instead: 90d, 12h; 0d is all of them' },
    ...databaseOptions,
  })
  const [name, text] = args.retention ? ['--retention', args.retention] : ['RETENTION', process.env.RETENTION]
  const retentionMs = text ? parseRetention(name, text) : retentionMsDefault
  const { list, jobs } = await readDatabases(args)
  await eachDatabase(list, jobs, async (store) => {
    const { scopes, tombstones } = await prune(store, schema, { retentionMs })
    return { lines: [`Pruned ${tombstones} tombstones of ${scopes} scopes.`], failed: false }
  })
})
