import { limits } from '../model/limits.ts'
import { checkFileUrl } from './libsql/file-url.ts'
import { checkLibsqlUrl } from './libsql/url.ts'
import { isNeonHost, readPostgresUrl } from './postgres/url.ts'
import { checkScopeUrl, isScopeUrl } from './scope-url.ts'
import type { BatchOptions, Store } from './store.ts'

/** Where the data is, unless a setting says otherwise. */
const defaultUrl = 'file:.driftline/dev.db'

/** `DATABASE_URL`, or the embedded default. Throws a `TypeError` that says what to write. */
export function readDatabaseUrl(env: Readonly<Record<string, string | undefined>>): string {
  const url = env.DATABASE_URL?.trim() || defaultUrl
  const shards = splitShards(url)
  const pattern = shards.length > 1 ? /^postgres(ql)?:\/\// : /^(file:|libsql:\/\/|https?:\/\/|postgres(ql)?:\/\/)/
  if (!shards.every((shard) => pattern.test(shard))) {
    throw new TypeError(
      shards.length > 1
        ? 'DATABASE_URL may name several databases, with spaces between them, where each begins with postgres://; a space in a password is %20'
        : 'DATABASE_URL must begin with file:, libsql://, https:// or postgres://, for example file:data/app.db',
    )
  }
  if (isScopeUrl(url)) {
    if (isPostgres(url)) throw new TypeError('{scope} is for file: and libsql://; name several postgres:// instead')
    checkScopeUrl(url)
  }
  if (isPostgres(url)) shards.forEach(readPostgresUrl)
  else if (url.startsWith('file:')) checkFileUrl(url)
  else checkLibsqlUrl(url)
  return url
}

export const isPostgres = (url: string) => /^postgres(ql)?:/.test(url)

/** Neon's hosts are asked over HTTP. */
export const isPostgresOverTcp = (url: string) => isPostgres(url) && !isNeonHost(readPostgresUrl(url))

/** The URLs of the shards. A path may hold spaces, a Postgres URL none. */
export function splitShards(url: string): readonly string[] {
  return isPostgres(url) ? url.split(/\s+/) : [url]
}

export interface OpenOptions extends BatchOptions {
  readonly authToken?: string | undefined
}

/**
 * The store of one database, in Node: `file:` an embedded libSQL file, `libsql://` or `https://` libSQL over HTTP,
 * `postgres://` Neon over HTTP where the host is Neon's, else TCP. Loads only the driver that it needs.
 */
export async function openStore(
  url: string,
  { authToken, batchMsMax = limits.databaseMsMax }: OpenOptions = {},
): Promise<Store> {
  if (url.startsWith('file:')) {
    const { libsqlFileStore } = await driver('file:', ['libsql'], () => import('./libsql/file.ts'))
    const { explainFile } = await import('./file-fault.ts')
    return libsqlFileStore(url, { batchMsMax }).catch((error: unknown) => {
      throw explainFile(error)
    })
  }
  if (!isPostgres(url)) {
    const packages = ['@libsql/client', '@libsql/hrana-client']
    const { fetchWithin, libsqlStore } = await driver('libsql://', packages, () => import('./libsql/http.ts'))
    const { createClient } = await driver('libsql://', packages, () => import('@libsql/client/http'))
    const server = { url, ...(authToken && { authToken }), fetch: fetchWithin(batchMsMax) }
    return libsqlStore(createClient(server), server)
  }
  if (!isPostgresOverTcp(url)) {
    const { neonStore } = await driver('Neon', ['@neondatabase/serverless'], () => import('./neon.ts'))
    return neonStore(url, { batchMsMax })
  }
  const { postgresStore } = await driver('postgres://', ['pg'], () => import('./postgres/pool.ts'))
  return postgresStore(url, { batchMsMax })
}

/** Loads a driver, which whoever uses it has installed. Throws a `TypeError` that says what to install where it is not there. */
async function driver<Module>(what: string, packages: readonly string[], load: () => Promise<Module>): Promise<Module> {
  return load().catch((error: unknown) => {
    const { code, message = '' } = error as { code?: string; message?: string }
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' && packages.some((name) => message.includes(`'${name}'`))
    throw isMissing ? new TypeError(`${what} needs its driver: npm install ${packages.join(' ')}`) : error
  })
}
