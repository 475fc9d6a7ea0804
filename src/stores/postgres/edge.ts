import Client from 'pg/lib/client.js'
import { limits } from '../../model/limits.ts'
import { postgres } from '../../sql/postgres/dialect.ts'
import { withDeadline } from '../deadline.ts'
import { postgresFault } from '../fault.ts'
import { type BatchOptions, checkNumbers, onePlace, type Store } from '../store.ts'
import { openingOf } from './opening.ts'
import { pipeline } from './pipeline.ts'
import { readPostgresUrl } from './url.ts'

/**
 * Any Postgres over TCP from a worker, where a socket belongs to the request that opened it: a
 * connection for each batch. Hyperdrive keeps the real ones open nearby, so that connecting costs
 * little; without it each batch connects all the way.
 */
export function postgresEdgeStore(url: string, { batchMsMax = limits.databaseMsMax }: BatchOptions = {}): Store {
  const { client: address, files, schema } = readPostgresUrl(url)
  // A worker sees no certificate that a password could be bound to.
  const config = { ...address, enableChannelBinding: false }
  if (Object.keys(files).length > 0 || address.host?.startsWith('/'))
    throw new TypeError('DATABASE_URL may name no files here: a worker has neither certificates in files nor sockets')
  const opening = openingOf(batchMsMax, schema)
  return {
    dialect: postgres,
    placeOf: onePlace,
    async batch(_scope, statements) {
      checkNumbers(statements)
      const client = new Client({ ...config, connectionTimeoutMillis: batchMsMax / 2 })
      // A cut connection fails its batch by itself; without a listener it would end the request
      // without an answer.
      client.on('error', () => {})
      try {
        await client.connect()
        const [, ...results] = await withDeadline(pipeline(client, opening, statements), batchMsMax)
        return results
      } catch (error) {
        throw postgresFault(error)
      } finally {
        // Not waited for. What was not committed is rolled back by the server when the connection
        // goes.
        void client.end().catch(() => {})
      }
    },
    async close() {},
  }
}
