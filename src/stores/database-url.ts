import { checkFileUrl } from './libsql/file-url.ts'
import { checkLibsqlUrl } from './libsql/url.ts'
import { isNeonHost, readPostgresUrl } from './postgres/url.ts'
import { checkScopeUrl, isScopeUrl } from './scope-url.ts'

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
