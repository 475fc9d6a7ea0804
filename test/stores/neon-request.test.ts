import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { neon, neonConfig as theirConfig } from '@neondatabase/serverless'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Statement } from '../../src/sql/statement.ts'
import { neonConfig, neonEndpoint, neonStore } from '../../src/stores/neon.ts'
import { openingOf } from '../../src/stores/postgres/opening.ts'

interface Asked {
  readonly path: string
  readonly body: string
  readonly headers: IncomingHttpHeaders
}

const statements: readonly Statement[] = [
  { sql: 'SELECT $1::text, $2::int8, $3::text', params: ['é"\\\u0001', 9_007_199_254_740_991, null] },
  { sql: 'SELECT 1', params: [] },
  { sql: 'SELECT $1::int8, $2::text', params: [-5, ''] },
]
const results = JSON.stringify({ results: Array(4).fill({ fields: [{ name: 'a', dataTypeID: 25 }], rows: [['1']] }) })

describe('a batch over HTTP', () => {
  const before = neonConfig.fetchEndpoint
  const asked: Asked[] = []
  let answer: readonly [status: number, body: string] = [200, results]
  const server = createServer(async (request, response) => {
    asked.push({ path: request.url ?? '', body: await text(request), headers: request.headers })
    response.writeHead(answer[0]).end(answer[1])
  })
  beforeEach(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    // The host that is asked in the path, so that it can be seen.
    theirConfig.fetchEndpoint = (host) => `${url}/${host.replace(/^[^.]+\./, 'api.')}/sql`
    neonConfig.fetchEndpoint = (host) => neonEndpoint(host).replace('https:/', url)
  })
  afterEach(async () => {
    neonConfig.fetchEndpoint = before
    asked.splice(0)
    answer = [200, results]
    await new Promise((closed) => {
      server.close(closed)
      server.closeAllConnections()
    })
  })

  it.each([
    'postgres://user:pass@ep-cool-1.eu-central-1.aws.neon.tech/app',
    'postgresql://us%40er:p%23%3A%2F%25@ep-cool-1-pooler.aws.neon.tech:5432/my%20app?sslmode=require&channel_binding=require',
    'postgres://user@ep-cool-1.neon.tech/app?options=endpoint%3Dep-cool-1',
  ])('is the request that the package of Neon makes, for %s', async (url) => {
    const sql = neon(url, { arrayMode: true })
    await sql.transaction(
      [openingOf(10_000), ...statements].map((one) => sql.query(one.sql, [...one.params])),
      { isolationLevel: 'ReadCommitted' },
    )
    expect(await neonStore(url).batch('', statements)).toEqual([[['1']], [['1']], [['1']]])
    const [theirs, ours] = asked.map(({ path, body, headers }) => {
      const of = Object.entries(headers).filter(([name]) => name.startsWith('neon-'))
      const { 'neon-connection-string': address = '', ...rest } = Object.fromEntries(of)
      const { protocol, username, password, host, pathname, searchParams } = new URL(String(address))
      return { path, body, rest, address: [protocol, username, password, host, pathname, searchParams.get('options')] }
    })
    expect(ours).toEqual(theirs)
    expect(ours?.path).toMatch(/^\/api\.[a-z0-9.-]+\.tech\/sql$/)
  })

  it.each([
    [400, { message: 'lost', code: '40001', severity: 'ERROR' }, { kind: 'conflict', code: '40001' }],
    [400, { message: 'no', code: '23505', constraint: 'mine' }, { kind: 'refused', code: '23505', constraint: 'mine' }],
    [400, { message: 'gone', code: '', severity: '' }, { kind: 'transient', code: undefined }],
    [503, { message: 'nobody' }, { kind: 'transient', message: 'Neon answered with HTTP status 503' }],
    [200, { other: 1 }, { kind: 'transient' }],
  ])('that is answered with %i and %j is a fault of its kind', async (status, body, fault) => {
    answer = [status, JSON.stringify(body)]
    await expect(neonStore('postgres://u:p@ep-1.neon.tech/a').batch('', statements)).rejects.toMatchObject(fault)
  })
})
