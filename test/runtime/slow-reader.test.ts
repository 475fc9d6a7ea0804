import { readFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signToken } from '../../src/runtime/sign-token.ts'
import { openStore } from '../../src/stores/open.ts'
import { type ServerProcess, startServer, testSecret } from '../support/server.ts'
import { temporaryFolder } from '../support/stores.ts'

const rows = 20_000
const mb = 2 ** 20

describe('a client that reads a stream slowly', () => {
  let server: ServerProcess
  let drop: () => Promise<void>
  beforeAll(async () => {
    const temporary = await temporaryFolder()
    drop = temporary.drop
    const DATABASE_URL = `file:${join(temporary.folder, 'a.db')}`
    server = await startServer({ DATABASE_URL, LOG: 'json' })
    const store = await openStore(DATABASE_URL)
    // 160 MB, of which nothing compresses below the half.
    for (const sql of [
      `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('alice', 'i', ${rows}, 0, 24100)`,
      `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${rows}) INSERT INTO todos SELECT 'alice', 'id' || n, 1, 'a', 0, n, n, 'x', 0, 1, hex(randomblob(4000)), NULL, NULL FROM n`,
    ])
      await store.batch('alice', [{ sql, params: [] }])
    await store.close()
  })
  afterAll(async () => {
    await server.stop()
    await drop()
  })

  const residentBytes = async () => {
    const status = await readFile(`/proc/${server.process.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }
  async function open(encoding: string): Promise<IncomingMessage> {
    const token = await signToken(testSecret, { sub: 'alice' })
    const headers = { Authorization: `Bearer ${token}`, Accept: 'application/x-ndjson', 'Accept-Encoding': encoding }
    return new Promise((resolve, reject) => {
      request(`${server.url}/v1/pull`, { headers }, resolve).on('error', reject).end()
    })
  }

  it.each(['identity', 'gzip'])('costs the server no memory, %s, and once it leaves no work', async (encoding) => {
    await server.request('GET', '/v1/pull?limit=1')
    const before = await residentBytes()
    const readers = await Promise.all([open(encoding), open(encoding), open(encoding)])
    let most = 0
    for (let look = 0; look < 12; look++) {
      await setTimeout(150)
      most = Math.max(most, (await residentBytes()) - before)
      for (const reader of readers) reader.read()
    }
    // All that they have not read would be 480 MB.
    expect(most / mb).toBeLessThan(150)
    const logged = server.output().length
    for (const reader of readers) reader.destroy()
    while (
      (
        server
          .output()
          .slice(logged)
          .match(/"aborted":true/g) ?? []
      ).length < 3
    )
      await setTimeout(20)
  })
})
