import { setTimeout as sleep } from 'node:timers/promises'
import { carryByCopy } from '../../bulk/copy.ts'
import { chunkSize } from '../../bulk/import.ts'
import type { ChunkSize } from '../../bulk/ndjson.ts'
import { check } from '../../migrations/check.ts'
import { readMigrations } from '../../migrations/read.ts'
import { limits } from '../../model/limits.ts'
import type { Schema } from '../../model/table.ts'
import type { Environment } from '../../runtime/environment.ts'
import { type Databases, findDatabases, nameOf } from '../../runtime/node/databases.ts'
import { isPostgresOverTcp, readDatabaseUrl, splitShards } from '../../stores/database-url.ts'
import type { Store } from '../../stores/store.ts'
import type { Carry } from '../../sync/push/plan-bulk.ts'
import type { App } from '../app.ts'

/** Where an import goes to, and the fastest way there. */
export interface ImportDatabase {
  /** For a person, and to know it again: holds no password. */
  readonly name: string
  readonly store: Store
  readonly carry?: Carry
  readonly chunkSize: ChunkSize
  /** Tells the servers of a commit, where the database carries that. */
  readonly poke?: (scope: string, position: number) => void
  close(): Promise<void>
}

/**
 * A chunk by COPY costs some statements more, and memory of its size: from here on larger ones gain
 * little.
 */
export const copyChunkSize: ChunkSize = { linesMax: 4_000, textMax: 8 * 1024 * 1024, firstMax: 1_000 }
/** Whoever waits at a terminal has more time than a phone. */
const copyMsMax = 60_000

/**
 * Opens what DATABASE_URL stands for. One Postgres over TCP takes rows by COPY, where it may;
 * everywhere else they are parameters, one JSON text for each statement: on libSQL that is faster
 * than a prepared statement for each row (100,000 rows: 0.7 against 1.1 s of processor). Throws a
 * `TypeError` where the tables are missing.
 */
export async function openImportDatabase(env: Environment, { schema, migrations }: App): Promise<ImportDatabase> {
  const url = readDatabaseUrl(env)
  const databases = findDatabases(url, schema, env.DATABASE_AUTH_TOKEN)
  await checkTables(databases, schema)
  const opened = await databases.open(await readMigrations(databases.dialect, migrations))
  const name = splitShards(url).map(nameOf).join(' ')
  const [first = ''] = splitShards(url)
  if (!isPostgresOverTcp(first)) return { name, store: opened, chunkSize, close: opened.close }

  const { postgresBus } = await import('../../live/node/postgres-bus.ts')
  const bus = postgresBus(first, () => {})
  const poke = bus.send
  const close = async () => {
    // The last poke tells the final position.
    await sleep(limits.livePokeMs * 2)
    bus.close()
    await opened.close()
  }
  if (splitShards(url).length > 1) return { name, store: opened, chunkSize, poke, close }
  const { postgresStore } = await import('../../stores/postgres/pool.ts')
  const store = postgresStore(url, { batchMsMax: copyMsMax })
  const copies = await store.batch('', [{ sql: copiesSql, params: [], reads: true }])
  return {
    ...{ name, store, poke, chunkSize },
    ...(copies[0]?.[0]?.[0] === 't' && { carry: carryByCopy(schema), chunkSize: copyChunkSize }),
    close: () => store.close().then(close),
  }
}

/**
 * Whether rows may go by a temporary table: the role may make one, and Citus would not join it with
 * its own.
 */
const copiesSql = `SELECT has_database_privilege(current_database(), 'TEMPORARY')
AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')`

/**
 * Files of their own for each scope are made and migrated when they are first written; others must
 * be there.
 */
async function checkTables(databases: Databases, schema: Schema): Promise<void> {
  if (databases.perScope) return
  for (const { name, open } of await databases.list()) {
    const store = await open()
    const [finding] = await check(store, schema).finally(() => store.close())
    if (finding !== undefined) throw new TypeError(`The database ${name} is not ready. ${finding}`)
  }
}
