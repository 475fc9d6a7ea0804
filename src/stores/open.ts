import { limits } from '../model/limits.ts'
import { isPostgres, isPostgresOverTcp } from './database-url.ts'
import type { BatchOptions, Store } from './store.ts'

export interface OpenOptions extends BatchOptions {
  readonly authToken?: string | undefined
  /** Of a file: nobody else waits for this thread, so that it may write itself. */
  readonly inThisThread?: boolean | undefined
}

/**
 * The store of one database, in Node: `file:` an embedded libSQL file, `libsql://` or `https://`
 * libSQL over HTTP, `postgres://` Neon over HTTP where the host is Neon's, else TCP. Loads only the
 * driver that it needs.
 */
export async function openStore(
  url: string,
  { authToken, batchMsMax = limits.databaseMsMax, inThisThread }: OpenOptions = {},
): Promise<Store> {
  if (url.startsWith('file:')) {
    const { libsqlFileStore } = await driver('file:', ['libsql'], () => import('./libsql/file.ts'))
    const { explainFile } = await import('./file-fault.ts')
    return libsqlFileStore(url, { batchMsMax, inThisThread }).catch((error: unknown) => {
      throw explainFile(error)
    })
  }
  if (!isPostgres(url)) {
    const { libsqlUrlStore } = await import('./libsql/http.ts')
    return libsqlUrlStore(url, { authToken, batchMsMax, atOnceMax: 20 })
  }
  if (!isPostgresOverTcp(url)) {
    const { neonStore } = await import('./neon.ts')
    return neonStore(url, { batchMsMax })
  }
  const { postgresStore } = await driver('postgres://', ['pg'], () => import('./postgres/pool.ts'))
  return postgresStore(url, { batchMsMax })
}

/**
 * Loads a driver, which whoever uses it has installed. Throws a `TypeError` that says what to
 * install where it is not there.
 */
async function driver<Module>(what: string, packages: readonly string[], load: () => Promise<Module>): Promise<Module> {
  return load().catch((error: unknown) => {
    const { code, message = '' } = error as { code?: string; message?: string }
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' && packages.some((name) => message.includes(`'${name}'`))
    throw isMissing ? new TypeError(`${what} needs its driver: npm install ${packages.join(' ')}`) : error
  })
}
