import type { Cells, Statement } from '../../sql/statement.ts'
import { type Store, StoreFault } from '../store.ts'

/**
 * The tables that tell shards apart, beside those of every database. Each shard knows who it is and
 * who keeps the directory; the directory, on the first shard, knows the shards and the home of each
 * scope.
 */
const identityTable = `CREATE TABLE IF NOT EXISTS driftline_shard (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  shard text NOT NULL,
  directory text NOT NULL
)`
const directoryTables = [
  `CREATE TABLE IF NOT EXISTS driftline_shards (
  shard text PRIMARY KEY,
  name text NOT NULL,
  open boolean NOT NULL DEFAULT true
)`,
  `CREATE TABLE IF NOT EXISTS driftline_homes (
  scope text COLLATE "C" PRIMARY KEY,
  shard text NOT NULL
)`,
]

export interface Identity {
  readonly shard: string
  readonly directory: string
}

/** Who a database is among the shards; nobody where it never was one. */
export async function readIdentity(store: Store): Promise<Identity | undefined> {
  const rows = await readTable(store, 'driftline_shard', 'shard, directory')
  const [row] = rows
  return row && { shard: String(row[0]), directory: String(row[1]) }
}

/** Gives a database its identity, or finds the one that another process gave it meanwhile. */
export async function giveIdentity(store: Store, shard: string, directory: string): Promise<Identity> {
  const insert = 'INSERT INTO driftline_shard (shard, directory) VALUES ($1, $2) ON CONFLICT DO NOTHING'
  await store.batch('', [alone, { sql: identityTable, params: [] }, { sql: insert, params: [shard, directory] }])
  const identity = await readIdentity(store)
  if (!identity) throw new Error('The identity of a shard was removed while it was written')
  return identity
}

/** The shards that the directory knows, by their identity, with the names that they had. */
export async function readShards(directory: Store): Promise<ReadonlyMap<string, string>> {
  const rows = await readTable(directory, 'driftline_shards', 'shard, name')
  return new Map(rows.map(([shard, name]) => [String(shard), String(name)]))
}

export async function createDirectory(directory: Store): Promise<void> {
  await directory.batch('', [alone, ...directoryTables.map((sql) => ({ sql, params: [] }))])
}

/** From now on new scopes may have their home there. */
export async function openShard(directory: Store, shard: string, name: string): Promise<void> {
  const insert = 'INSERT INTO driftline_shards (shard, name) VALUES ($1, $2) ON CONFLICT DO NOTHING'
  await directory.batch('', [{ sql: insert, params: [shard, name] }])
}

/**
 * The home of a scope. Where it has none, a read finds nothing, and a write takes the open shard of
 * the highest random weight (rendezvous hashing): the same for every process, and evenly spread. Of
 * two processes that choose at once, even with lists that differ, the first to write it down
 * decides.
 */
export async function findHome(directory: Store, scope: string, reads: boolean): Promise<string | undefined> {
  const find: Statement = { sql: 'SELECT shard FROM driftline_homes WHERE scope = $1', params: [scope], reads: true }
  const choose: Statement = {
    sql: `INSERT INTO driftline_homes (scope, shard) SELECT $1::text, shard FROM driftline_shards
WHERE open AND NOT EXISTS (SELECT FROM driftline_homes WHERE scope = $1::text)
ORDER BY md5(shard || $1::text) LIMIT 1 ON CONFLICT DO NOTHING`,
    params: [scope],
  }
  const home = (await directory.batch(scope, reads ? [find] : [choose, find])).at(-1)?.[0]?.[0]
  if (home !== undefined) return String(home)
  if (reads) return undefined
  throw new StoreFault('transient', { message: 'no shard is open for new scopes', code: 'NO_OPEN_SHARD' })
}

/** Whether the directory can be read. */
export async function pingDirectory(directory: Store): Promise<void> {
  const read = (sql: string): Statement => ({ sql, params: [], reads: true })
  await directory.batch('', [
    read('SELECT shard, name, open FROM driftline_shards WHERE 1 = 0'),
    read('SELECT scope, shard FROM driftline_homes WHERE 1 = 0'),
  ])
}

/**
 * Writes down that the scopes which a database holds already are at home there, a thousand at a
 * time. Gives the number of those that the directory knows elsewhere.
 */
export async function adoptScopes(directory: Store, shard: string, store: Store): Promise<number> {
  const select = 'SELECT scope FROM driftline_scopes WHERE scope > $1 ORDER BY scope LIMIT 1000'
  const insert = `INSERT INTO driftline_homes (scope, shard) SELECT json_array_elements_text($1::json), $2 ON CONFLICT DO NOTHING`
  const count = `SELECT count(*) FROM driftline_homes WHERE scope IN (SELECT json_array_elements_text($1::json)) AND shard <> $2`
  let elsewhere = 0
  for (let last = ''; ; ) {
    const [rows = []] = await store.batch('', [{ sql: select, params: [last], reads: true }])
    if (rows.length === 0) return elsewhere
    const params = [JSON.stringify(rows.map(([scope]) => scope)), shard]
    const results = await directory.batch('', [
      { sql: insert, params },
      { sql: count, params, reads: true },
    ])
    elsewhere += Number(results[1]?.[0]?.[0])
    last = String(rows.at(-1)?.[0])
  }
}

/**
 * Held to the end of the batch: of two processes that create a table at once Postgres fails one, in
 * spite of IF NOT EXISTS.
 */
const alone: Statement = { sql: 'SELECT pg_advisory_xact_lock(7310579622)', params: [] }

/**
 * No rows where the table is not there yet; asked first, since an error at every start would fill
 * the database's log.
 */
async function readTable(store: Store, table: string, columns: string): Promise<readonly Cells[]> {
  const [found = []] = await store.batch('', [{ sql: 'SELECT to_regclass($1)::text', params: [table], reads: true }])
  if (found[0]?.[0] === null) return []
  return (await store.batch('', [{ sql: `SELECT ${columns} FROM ${table}`, params: [], reads: true }]))[0] ?? []
}
