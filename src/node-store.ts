import { limits } from './limits.ts'
import type { Store } from './stores/store.ts'

/** Where the data is, unless a setting says otherwise. */
const defaultUrl = 'file:.driftline/dev.db'

/** `DATABASE_URL`, or the embedded default. Throws a `TypeError` that says what to write. */
export function readDatabaseUrl(env: Readonly<Record<string, string | undefined>>): string {
  const url = env.DATABASE_URL || defaultUrl
  if (!/^(file:|libsql:\/\/|https?:\/\/|postgres(ql)?:\/\/)/.test(url)) {
    throw new TypeError(
      'DATABASE_URL must begin with file:, libsql://, https:// or postgres://, for example file:data/app.db',
    )
  }
  return url
}

/**
 * The store of a URL, in Node: `file:` an embedded libSQL file, `libsql://` or `https://` libSQL over HTTP,
 * `postgres://` Neon over HTTP where the host is Neon's, else TCP. Loads only the driver that it needs.
 */
export async function openStore(url: string, authToken?: string): Promise<Store> {
  if (url.startsWith('file:')) {
    const { libsqlFileStore } = await import('./stores/libsql-file.ts')
    return libsqlFileStore(url)
  }
  if (!url.startsWith('postgres')) {
    const [{ createClient }, { fetchWithin, libsqlStore }] = await Promise.all([
      import('@libsql/client/http'),
      import('./stores/libsql.ts'),
    ])
    return libsqlStore(createClient({ url, ...(authToken && { authToken }), fetch: fetchWithin(limits.databaseMsMax) }))
  }
  if (/\.neon\.tech$/.test(new URL(url).hostname)) {
    const { neonStore } = await import('./stores/neon.ts')
    return neonStore(url)
  }
  const { postgresStore } = await import('./stores/postgres.ts')
  return postgresStore(url)
}
