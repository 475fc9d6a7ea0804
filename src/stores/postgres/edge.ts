import { limits } from '../../model/limits.ts'
import { postgres } from '../../sql/postgres/dialect.ts'
import { withDeadline } from '../deadline.ts'
import { postgresFault } from '../fault.ts'
import { type BatchOptions, checkNumbers, onePlace, type Store } from '../store.ts'
import { type EdgeConnection, openConnection } from './edge-connection.ts'
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
  if (Object.keys(files).length > 0 || address.host?.startsWith('/'))
    throw new TypeError('DATABASE_URL may name no files here: a worker has neither certificates in files nor sockets')
  const opening = openingOf(batchMsMax, schema)
  return {
    dialect: postgres,
    placeOf: onePlace,
    async batch(_scope, statements) {
      checkNumbers(statements)
      let connection: EdgeConnection | undefined
      try {
        connection = await openConnection(address, batchMsMax / 2)
        const [, ...results] = await withDeadline(pipeline(connection, opening, statements), batchMsMax)
        return results
      } catch (error) {
        throw postgresFault(error)
      } finally {
        connection?.end()
      }
    },
    async close() {},
  }
}
