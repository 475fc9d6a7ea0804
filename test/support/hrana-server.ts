/**
 * Hrana 2 and 3 (JSON over HTTP) on a SQLite file: what sqld and Turso speak, so that tests run the remote `@libsql/client`.
 * One connection serves everybody, one request at a time, and no transaction lives longer than its request:
 * `batch` and `execute` work, `transaction()` is refused.
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

export async function startHranaServer(file: string): Promise<HranaServer> {
  const db = new Database(file, { timeout: 5000 }).defaultSafeIntegers(true)
  let mode: FailMode = 'none'
  let requests = 0

  const server = createServer(async (request, response) => {
    const isPipeline = request.method === 'POST' && /^\/v[23]\/pipeline$/.test(request.url ?? '')
    const isProbe = request.method === 'GET' && /^\/v[23]$/.test(request.url ?? '')
    if (!isPipeline) return response.writeHead(isProbe ? 200 : 404).end()
    requests += 1
    const body = await json(request).catch(() => undefined)
    if (mode === 'hang') return
    if (mode === 'reset' || body === undefined) return request.socket.destroy()
    if (mode === 'http-500') return response.writeHead(500, { 'content-type': 'text/plain' }).end('made to fail')
    const results = runPipeline(db, (body as { requests: Request[] }).requests)
    const answer = JSON.stringify({ baton: null, base_url: null, results })
    return response.writeHead(200, { 'content-type': 'application/json' }).end(answer)
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
      db.close()
    },
  }
}
