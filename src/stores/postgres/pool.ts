import pg from 'pg'
import { limits } from '../../model/limits.ts'
import { postgres } from '../../sql/postgres/dialect.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import { withDeadline } from '../deadline.ts'
import { postgresFault } from '../fault.ts'
import { type BatchOptions, checkNumbers, onePlace, readsOnly, type Store, StoreFault } from '../store.ts'
import { clientConfig } from './client.ts'
import { connectFault } from './connect-fault.ts'
import { askWho, openingOf, planOnce } from './opening.ts'
import { pipeline } from './pipeline.ts'
import { createPrepared, type Prepared } from './prepared.ts'
import { createScopeTurns } from './scope-turns.ts'
import { readPostgresUrl } from './url.ts'

export interface PostgresOptions extends BatchOptions {
  /** Connections at the most. One batch holds one, from its flush to its answer. */
  readonly connectionsMax?: number
  /**
   * Connections that the writers of one scope may hold, and as many again its readers. A quarter of
   * all by default.
   */
  readonly scopeConnectionsMax?: number | undefined
}

/** How long a batch waits for a connection. */
const connectMsMax = limits.databaseMsMax / 2
/**
 * The part of the connections that the writers of one scope may hold, and its readers beside them.
 * Writers work one after the other anyway; those that wait at the scope's lock only save the way to
 * the database. Readers of a large scope, or of one full of tombstones, are slow: many of them
 * would take every connection, and all other scopes wait with them.
 */
const scopeShare = 1 / 4

/**
 * Any Postgres over TCP: a batch is one pipelined transaction, sent in one flush and answered in
 * one.
 */
export function postgresStore(
  url: string,
  { connectionsMax: most = 16, batchMsMax = limits.databaseMsMax, scopeConnectionsMax }: PostgresOptions = {},
): Store {
  const address = readPostgresUrl(url)
  const { schema, connectionsMax = most } = address
  const pool = new pg.Pool({ ...clientConfig(address), max: connectionsMax, keepAlive: true })
  // A connection that the server cuts tells its pool while idle and itself while in use. Without
  // listeners either would end the process; the batch that it carried fails by itself.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const perScope =
    address.scopeConnectionsMax ?? scopeConnectionsMax ?? Math.max(1, Math.floor(connectionsMax * scopeShare))
  const [writers, readers] = [createScopeTurns(perScope, connectMsMax), createScopeTurns(perScope, connectMsMax)]
  const opening = openingOf(batchMsMax, schema)
  const openings = { opening, asking: askWho(opening), reading: planOnce(opening) }
  const link: Link = { pool, prepared: createPrepared(), ...openings, batchMsMax }
  return {
    dialect: postgres,
    placeOf: onePlace,
    async batch(scope, statements) {
      checkNumbers(statements)
      const turns = readsOnly(statements) ? readers : writers
      const endTurn = scope === '' ? undefined : await turns.take(scope)
      try {
        return await runOnce(link, statements)
      } catch (error) {
        throw postgresFault(error)
      } finally {
        endTurn?.()
      }
    },
    close: () => pool.end(),
  }
}

interface Link {
  readonly pool: pg.Pool
  readonly prepared: Prepared
  readonly opening: Statement
  /** Of the first batch of a connection, and of those that only read by statements with names. */
  readonly asking: Statement
  readonly reading: Statement
  readonly batchMsMax: number
}

async function runOnce(
  { pool, prepared, opening, asking, reading, batchMsMax }: Link,
  statements: readonly Statement[],
): Promise<Cells[][]> {
  const client = await pool.connect().catch((error: unknown) => {
    throw connectFault(error)
  })
  const asks = prepared.asks(client)
  const names = prepared.namesOf(client)
  let broken: Error | undefined
  try {
    const before = asks ? asking : names && readsOnly(statements) ? reading : opening
    const ran = pipeline(client, before, statements, names)
    const [first, ...results] = await withDeadline(ran, batchMsMax)
    if (asks) prepared.learn(client, first?.[0]?.at(-1) === String(pidOf(client)))
    return results
  } catch (error) {
    broken = await rollBack(client, error, statements.length > 1)
    if (!names || !prepared.isOutdated(error)) throw error
    broken = error as Error
    throw new StoreFault('conflict', { message: broken.message, cause: error })
  } finally {
    client.release(broken)
  }
}

/** Leaves the connection clean for the next batch, or says why it must be thrown away. */
async function rollBack(client: pg.PoolClient, error: unknown, transaction: boolean): Promise<Error | undefined> {
  const isAnswer = error instanceof pg.DatabaseError
  if (!isAnswer) return error instanceof Error ? error : new Error('broken connection')
  if (!transaction) return undefined
  try {
    await withDeadline(client.query('ROLLBACK'))
    return undefined
  } catch (fault) {
    return fault instanceof Error ? fault : new Error('broken connection')
  }
}

/** The server's process, as it said when the connection was opened. Its types do not have it. */
const pidOf = (client: object) => (client as { readonly processID?: unknown }).processID
