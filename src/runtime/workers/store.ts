import { scopeToName } from '../../model/scope-name.ts'
import { sqlite } from '../../sql/sqlite/dialect.ts'
import { durableObjectStore } from '../../stores/durable-object.ts'
import { checkLibsqlUrl } from '../../stores/libsql/url.ts'
import { isNeonHost, readPostgresUrl } from '../../stores/postgres/url.ts'
import { checkScopeUrl, isScopeUrl, scopeUrl } from '../../stores/scope-url.ts'
import type { Store } from '../../stores/store.ts'
import type { WorkerEnv } from './env.ts'
import { type D1Options, openD1 } from './open-d1.ts'

/**
 * The store of a worker: that of `DATABASE_URL`, else Postgres behind the binding HYPERDRIVE, else
 * the D1 database of the binding DB, which needs `app`, else a Durable Object for each scope. All
 * are in the bundle; only the driver that is needed is run. Throws a `TypeError` that says what to
 * do.
 */
export async function openAnyStore(env: WorkerEnv, app?: D1Options): Promise<Store> {
  const { SCOPES, DB, HYPERDRIVE, DATABASE_URL: url, DATABASE_AUTH_TOKEN: authToken } = env
  if (url) return openUrl(url, authToken)
  if (HYPERDRIVE) return openPostgres(HYPERDRIVE.connectionString)
  if (DB) {
    if (!app) throw new TypeError('D1 needs openStore: (env) => openAnyStore(env, { schema, migrations })')
    return openD1(env, app)
  }
  if (SCOPES) return durableObjectStore(SCOPES)
  throw new TypeError(
    'Set DATABASE_URL, or bind a D1 database as DB, or the Durable Object class ScopeObject as SCOPES, as wrangler.toml does',
  )
}

async function openUrl(url: string, authToken: string | undefined): Promise<Store> {
  if (/^postgres(ql)?:\/\//.test(url)) {
    if (/\s/.test(url.trim()))
      throw new TypeError('DATABASE_URL may name one database here: shards need the Node server')
    return openPostgres(url)
  }
  if (!/^(libsql|https?):\/\//.test(url)) {
    throw new TypeError('DATABASE_URL must begin with libsql://, https:// or postgres:// here: a worker has no files')
  }
  checkLibsqlUrl(url)
  const { libsqlUrlStore } = await import('../../stores/libsql/http.ts')
  const open = (one: string) => libsqlUrlStore(one, { authToken })
  if (!isScopeUrl(url)) return open(url)
  checkScopeUrl(url)
  // A client for each batch: it holds no connection, so there is nothing to keep.
  return {
    dialect: sqlite,
    batch: async (scope, statements) => open(scopeUrl(url, await scopeToName(scope))).batch(scope, statements),
    async rehearse(scope, rehearsal) {
      const { rehearse } = open(scopeUrl(url, await scopeToName(scope)))
      if (!rehearse) throw new TypeError('A store of one database rehearses')
      return rehearse(scope, rehearsal)
    },
    async ping() {},
    async close() {},
  }
}

async function openPostgres(url: string): Promise<Store> {
  if (isNeonHost(readPostgresUrl(url))) {
    const { neonStore } = await import('../../stores/neon.ts')
    return neonStore(url)
  }
  const { postgresEdgeStore } = await import('../../stores/postgres/edge.ts')
  return postgresEdgeStore(url)
}
