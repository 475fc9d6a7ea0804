/**
 * Hrana 2 and 3 (JSON over HTTP) on a SQLite file: what sqld and Turso speak, so that tests run the
 * remote `@libsql/client`. One connection serves everybody, one request at a time, and no
 * transaction lives longer than its request: `batch` and `execute` work, `transaction()` is
 * refused.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import Database from 'libsql'
import type { Request } from './hrana-proto.ts'
import { runPipeline } from './hrana-statements.ts'

export type FailMode = 'none' | 'http-500' | 'hang' | 'reset'

export interface HranaServer {
  readonly url: string
  /** Pipelines (HTTP POST) so far, those that were made to fail included. */
  readonly requests: number
  /** How requests from now on fail, before they touch the file. */
  fail(mode: FailMode): void
  close(): Promise<void>
}

/**
 * Serves one file, or as sqld and Turso do the file of the request's host; 404 where it has none.
 */
export async function startHranaServer(file: string | ((host: string) => string | undefined)): Promise<HranaServer> {
  const dbs = new Map<string, Database.Database>()
  function openFor(host: string): Database.Database | undefined {
    const path = typeof file === 'string' ? file : file(host)
    if (path === undefined) return undefined
    const db = dbs.get(path) ?? new Database(path, { timeout: 5000 }).defaultSafeIntegers(true)
    dbs.set(path, db)
    return db
  }
  if (typeof file === 'string') openFor('')
  let mode: FailMode = 'none'
  let requests = 0

  const server = createServer(async (request, response) => {
    const { host, pathname } = new URL(request.url ?? '', `http://${request.headers.host}`)
    const isPipeline = request.method === 'POST' && /^\/v[23]\/pipeline$/.test(pathname)
    const isProbe = request.method === 'GET' && /^\/v[23]$/.test(pathname)
    if (!isPipeline) return response.writeHead(isProbe ? 200 : 404).end()
    requests += 1
    const body = await json(request).catch(() => undefined)
    if (mode === 'hang') return
    if (mode === 'reset' || body === undefined) return request.socket.destroy()
    if (mode === 'http-500') return response.writeHead(500, { 'content-type': 'text/plain' }).end('made to fail')
    const db = openFor(host)
    if (!db) return response.writeHead(404, { 'content-type': 'text/plain' }).end('no such database')
    const results = runPipeline(db, (body as { requests: Request[] }).requests)
    const answer = JSON.stringify({ baton: null, base_url: null, results })
    return response.writeHead(200, { 'content-type': 'application/json' }).end(answer)
  })
  // A benchmark may keep the process busy for longer than Node keeps an idle connection.
  server.keepAliveTimeout = 75_000
  // Taken for a proxy it tunnels to itself, so that any name of a host leads here.
  server.on('connect', (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    server.emit('connection', socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests
    },
    fail(next) {
      mode = next
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      for (const db of dbs.values()) db.close()
    },
  }
}
