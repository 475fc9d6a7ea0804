import { openStore, readDatabaseUrl } from '../node-store.ts'
import { runCommand } from './run.ts'

/**
 * `npm run restored`, after a backup was put back: every scope gets a new incarnation, so that clients which have seen
 * more than the backup holds are told to resync, even once its positions have caught up with their cursors (P16).
 */
await runCommand(async () => {
  const store = await openStore(readDatabaseUrl(process.env), process.env.DATABASE_AUTH_TOKEN)
  try {
    const random =
      store.dialect.name === 'postgres'
        ? `substr(replace(gen_random_uuid()::text, '-', ''), 1, 16)`
        : 'lower(hex(randomblob(8)))'
    const [rows] = await store.batch('', [
      { sql: `UPDATE driftline_scopes SET incarnation = ${random} RETURNING 1`, params: [] },
    ])
    console.log(`${rows?.length ?? 0} scopes have a new incarnation. Their clients resync with their next request.`)
  } finally {
    await store.close()
  }
})
