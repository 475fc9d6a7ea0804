/**
 * Neon's SQL over HTTP in front of any Postgres, so that tests run `neon()` without Neon. After
 * neondatabase/neon, proxy/src/serverless/sql_over_http.rs, its error answers included. Set
 * `neonConfig.fetchEndpoint`.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import pg from 'pg'

export interface NeonGateway {
  readonly fetchEndpoint: string
  /** HTTP requests so far. */
  readonly requests: number
  close(): Promise<void>
}

interface Statement {
  readonly query: string
  readonly params?: readonly (string | null)[]
}
interface Answer {
  readonly status: number
  readonly body: unknown
}

const isolationLevels: Readonly<Record<string, string>> = {
  ReadUncommitted: 'READ UNCOMMITTED',
  ReadCommitted: 'READ COMMITTED',
  RepeatableRead: 'REPEATABLE READ',
  Serializable: 'SERIALIZABLE',
}

/**
 * Serves every database of the server at `postgresUrl`, as that URL's user; the client's connection
 * string names the database.
 */
export async function startNeonGateway(postgresUrl: string): Promise<NeonGateway> {
  const pools = new Map<string, pg.Pool>()
  let requests = 0

  function poolFor(headers: IncomingHttpHeaders): pg.Pool {
    const { pathname } = new URL(String(headers['neon-connection-string']))
    const known = pools.get(pathname)
    if (known !== undefined) return known
    const url = new URL(postgresUrl)
    url.pathname = pathname
    const pool = new pg.Pool({ connectionString: url.href, max: 20 })
    pool.on('error', () => {}) // an idle connection was lost; the pool has already dropped it
    pools.set(pathname, pool)
    return pool
  }

  const server = createServer(async (request, response) => {
    requests += 1
    const { status, body } = await json(request)
      .then((statements) => answer(poolFor(request.headers), request.headers, statements))
      .catch((error) => ({ status: 400, body: errorToJson(error) })) // a request we cannot read, or that was broken off
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')

  return {
    fetchEndpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sql`,
    get requests() {
      return requests
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await Promise.all([...pools.values()].map((pool) => pool.end()))
    },
  }
}

/**
 * One connection per request. Failing to get one is HTTP 500, so the client's error has no `.code`;
 * what fails later is 400.
 */
async function answer(pool: pg.Pool, headers: IncomingHttpHeaders, body: unknown): Promise<Answer> {
  let client: pg.PoolClient
  try {
    client = await pool.connect()
  } catch (error) {
    return { status: 500, body: errorToJson(error) }
  }
  client.on('error', ignore)
  try {
    const result = await run(client, headers, body as Statement | { queries: Statement[] })
    client.off('error', ignore).release()
    return { status: 200, body: result }
  } catch (error) {
    client.off('error', ignore).release(!(error instanceof pg.DatabaseError))
    return { status: 400, body: errorToJson(error) }
  }
}

const ignore = () => {}

async function run(client: pg.PoolClient, headers: IncomingHttpHeaders, body: Statement | { queries: Statement[] }) {
  if (!('queries' in body)) return execute(client, headers, body)
  await client.query(beginFor(headers))
  try {
    const results = []
    for (const statement of body.queries) results.push(await execute(client, headers, statement))
    await client.query('COMMIT')
    return { results }
  } catch (error) {
    await client.query('ROLLBACK').catch(ignore) // the connection may be gone, and the first error says more
    throw error
  }
}

function beginFor(headers: IncomingHttpHeaders): string {
  const name = headers['neon-batch-isolation-level']
  const level = name === undefined ? undefined : isolationLevels[String(name)]
  if (name !== undefined && level === undefined) throw new Error('invalid isolation level')
  return [
    'BEGIN',
    level && `ISOLATION LEVEL ${level}`,
    headers['neon-batch-read-only'] === 'true' && 'READ ONLY',
    headers['neon-batch-deferrable'] === 'true' && 'DEFERRABLE',
  ]
    .filter(Boolean)
    .join(' ')
}

async function execute(client: pg.PoolClient, headers: IncomingHttpHeaders, { query, params }: Statement) {
  const rowAsArray = headers['neon-array-mode'] === 'true'
  const config = {
    text: query,
    values: [...(params ?? [])],
    queryMode: 'extended', // Neon refuses two statements in one text; pg would send those without parameters as a script
    ...(rowAsArray && { rowMode: 'array' }),
    ...(headers['neon-raw-text-output'] === 'true' && { types: { getTypeParser: () => (text: string) => text } }),
  }
  const { fields, rows, command, rowCount } = await client.query(config)
  return { fields, rows, command, rowCount, rowAsArray }
}

/**
 * The fields of a database error, null where it has none; of a lost connection only the message,
 * and an empty code.
 */
function errorToJson(error: unknown): object {
  const { message } = error as Error
  const fields: Record<string, unknown> = error instanceof pg.DatabaseError ? { ...error } : { code: '', severity: '' }
  return { ...fields, message }
}
