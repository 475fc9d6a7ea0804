import { existsSync } from 'node:fs'
import { access, constants, readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { migrate } from '../../migrations/apply.ts'
import { check } from '../../migrations/check.ts'
import type { DialectName } from '../../migrations/ddl.ts'
import type { Migration } from '../../migrations/migration.ts'
import { limits } from '../../model/limits.ts'
import { scopeToName } from '../../model/scope-name.ts'
import type { Schema } from '../../model/table.ts'
import { deliverySql } from '../../sql/delivery-sql.ts'
import { sqlite } from '../../sql/sqlite/dialect.ts'
import { isPostgres, splitShards } from '../../stores/database-url.ts'
import { filePath } from '../../stores/libsql/file-path.ts'
import { fileRowsAtOnceMax } from '../../stores/libsql/file-url.ts'
import { type OpenOptions, openStore } from '../../stores/open.ts'
import { perScopeStore } from '../../stores/per-scope/per-scope.ts'
import { readPostgresUrl } from '../../stores/postgres/url.ts'
import { isScopeUrl, scopeFilePattern, scopeUrl } from '../../stores/scope-url.ts'
import { type JoinOptions, joinShards } from '../../stores/shards/join-shards.ts'
import { shardedStore } from '../../stores/shards/sharded.ts'
import { type Store, StoreFault } from '../../stores/store.ts'

/** One database behind `DATABASE_URL`. */
export interface Database {
  /** For a person: holds no password. */
  readonly name: string
  /** A store with the time that a migration may take. */
  open(options?: Pick<OpenOptions, 'inThisThread'>): Promise<Store>
}

/** All that `DATABASE_URL` stands for. */
export interface Databases {
  readonly dialect: DialectName
  /** One for each scope: they come into being while the server runs. */
  readonly perScope: boolean
  /**
   * Every database, or those of the scopes that are named. Throws a `TypeError` where they must be
   * named.
   */
  list(scopes?: readonly string[]): Promise<readonly Database[]>
  /** The store of them together, once the listed ones are migrated. */
  open(migrations: readonly Migration[], options?: JoinOptions): Promise<Store>
}

export function findDatabases(url: string, schema: Schema, authToken?: string): Databases {
  const database = (one: string): Database => ({
    name: nameOf(one),
    open: (options) => openStore(one, { ...options, authToken, batchMsMax: limits.migrationMsMax }),
  })
  if (isPostgres(url)) return shards(splitShards(url), database)
  if (!isScopeUrl(url)) {
    return {
      dialect: 'sqlite',
      perScope: false,
      list: listAll([database(url)]),
      open: () => openStore(url, { authToken }),
    }
  }
  const isFile = url.startsWith('file:')
  const urlOf = (name: string) => scopeUrl(url, name)
  return {
    dialect: 'sqlite',
    perScope: true,
    async list(scopes) {
      const names = scopes ? new Set(await Promise.all(scopes.map(scopeToName))) : await listNames(url)
      return [...names].map((name) => database(urlOf(name)))
    },
    open: async (migrations) =>
      perScopeStore(
        isFile
          ? {
              dialect: sqlite,
              rehearses: true,
              rowsAtOnceMax: fileRowsAtOnceMax,
              exists: (name) => existsSync(filePath(urlOf(name))),
              open: (name) => openFile(urlOf(name), migrations, schema),
              ping: () => pingFolder(dirname(filePath(url))),
            }
          : { dialect: sqlite, open: (name) => openStore(urlOf(name), { authToken }) },
      ),
  }
}

/**
 * The scopes for which something waits to be sent, where each has its own database, which is opened
 * and closed again. One that cannot be opened, or is not migrated yet, has nothing to say. None
 * where the databases cannot be known.
 */
export async function scopesWithDeliveries(databases: Databases): Promise<string[]> {
  const scopes: string[] = []
  for (const { open } of await databases.list().catch(() => [])) {
    const store = await open().catch(() => undefined)
    const read = store?.batch('', [{ sql: deliverySql(store.dialect).scopes, params: [], reads: true }])
    for (const [scope] of (await read?.catch(() => []))?.[0] ?? []) scopes.push(String(scope))
    await store?.close()
    // A file answers without leaving this thread.
    await setImmediate()
  }
  return scopes
}

function shards(urls: readonly string[], database: (url: string) => Database): Databases {
  return {
    dialect: 'postgres',
    perScope: false,
    list: listAll(urls.map(database)),
    async open(_migrations, options) {
      const opened = await Promise.all(urls.map(async (url) => ({ name: nameOf(url), store: await openStore(url) })))
      const [first] = opened as [(typeof opened)[number]]
      try {
        const joined = await joinShards(opened, options)
        return joined ? shardedStore(first.store, joined) : first.store
      } catch (error) {
        for (const { store } of opened) await store.close()
        throw error
      }
    },
  }
}

function listAll(databases: readonly Database[]): Databases['list'] {
  return async (scopes) => {
    if (scopes) throw new TypeError('--scope and --scopes are for a DATABASE_URL with {scope}')
    return databases
  }
}

/** The databases that are there, where that can be known: the files of a folder. */
async function listNames(url: string): Promise<readonly string[]> {
  if (!url.startsWith('file:')) {
    throw new TypeError(
      'Say whose databases: -- --scopes scopes.txt with a scope in each line, --scopes - for standard input, or --scope alice',
    )
  }
  const files = await readdir(dirname(filePath(url))).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const pattern = scopeFilePattern(url)
  return files.flatMap((file) => pattern.exec(file)?.[1] ?? []).sort()
}

/** Whether files can be made there. The folder comes with the first of them. */
async function pingFolder(folder: string): Promise<void> {
  await access(folder, constants.R_OK | constants.W_OK | constants.X_OK).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

/** A scope's first request makes its file; a later version's first request brings it up to date. */
async function openFile(url: string, migrations: readonly Migration[], schema: Schema): Promise<Store> {
  const store = await openStore(url)
  try {
    await migrate(store, migrations)
    const [finding] = await check(store, schema)
    if (finding !== undefined) throw new StoreFault('broken', { message: finding, code: 'SCHEMA_DIFFERS' })
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** The URL without user, password and options. */
export function nameOf(url: string): string {
  if (url.startsWith('file:')) return url
  if (isPostgres(url)) return readPostgresUrl(url).name
  const { host, pathname } = new URL(url)
  return host + (pathname === '/' ? '' : pathname)
}
