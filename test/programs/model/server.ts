/**
 * A server process for the soak, to be killed: `node test/programs/model/server.ts URL`. Each
 * request tells it the time.
 */
import { serve } from '@hono/node-server'
import { createApp } from '../../../src/http/app.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import { testSecret } from '../../support/server.ts'
import { modelSchema as schema } from './tables.ts'

const [url = ''] = process.argv.slice(2)
const store = url.startsWith('postgres:') ? postgresStore(url) : await libsqlFileStore(url)
let nowMs = 0
const app = createApp({ schema, store, auth: { secret: testSecret }, now: () => nowMs })
const fetch = (request: Request) => {
  nowMs = Number(request.headers.get('x-model-now'))
  return app.fetch(request)
}
serve({ fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => console.log(port))
// Ends with whoever started it.
process.stdin.resume().on('end', () => process.exit())
