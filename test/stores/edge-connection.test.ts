import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresEdgeStore } from '../../src/stores/postgres/edge.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

const ways = ['scram-sha-256', 'md5', 'password'] as const
const secret = 'sécret, of \u2163'

let postgres: Postgres

/** A role for each way to prove a password, which nobody else may come in by. */
beforeAll(async () => {
  postgres = await startPostgres()
  const admin = new pg.Client({ connectionString: postgres.url })
  await admin.connect()
  for (const way of ways) {
    await admin.query(`SET password_encryption = '${way === 'md5' ? 'md5' : 'scram-sha-256'}'`)
    await admin.query(`CREATE ROLE "${way}" LOGIN PASSWORD '${secret}'`)
  }
  const file = join(postgres.dataDir, 'pg_hba.conf')
  const rules = ways.map((way) => `host all "${way}" 127.0.0.1/32 ${way}\n`)
  await writeFile(file, rules.join('') + (await readFile(file, 'utf8')))
  await admin.query('SELECT pg_reload_conf()')
  await admin.end()
})
afterAll(() => postgres.stop())

const urlOf = (user: string, password = secret, rest = '') =>
  `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${postgres.port}/postgres${rest}`
const ask = (url: string, sql = 'SELECT current_user', msMax = 10_000) =>
  postgresEdgeStore(url, { batchMsMax: msMax }).batch('', [{ sql, params: [] }])

describe('a connection of a worker', () => {
  it.each(ways)('proves a password by %s, and a wrong or missing one is no passing fault', async (way) => {
    expect(await ask(urlOf(way))).toEqual([[[way]]])
    await expect(ask(urlOf(way, 'wrong'))).rejects.toMatchObject({ kind: 'broken', code: '28P01' })
    await expect(ask(urlOf(way, ''))).rejects.toMatchObject({ name: 'StoreFault' })
  })

  it('names itself, and is gone after its batch, whether that failed or not', async () => {
    const url = `${postgres.url}?application_name=edge`
    const name = "SELECT current_setting('application_name')"
    expect(await ask(url, name)).toEqual([[['edge']]])
    await expect(ask(url, 'SELECT 1 / 0')).rejects.toMatchObject({ kind: 'refused', code: '22012' })
    const others = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'edge' AND pid <> pg_backend_pid()"
    await expect.poll(() => ask(url, others)).toEqual([[['0']]])
  })

  it('P13 that breaks, or never comes, is a passing fault', async () => {
    const cut = 'SELECT pg_terminate_backend(pg_backend_pid())'
    await expect(ask(postgres.url, cut)).rejects.toMatchObject({ kind: 'transient', code: '57P01' })
    await expect(ask(`${postgres.url}?sslmode=require`)).rejects.toMatchObject({ kind: 'transient' })
    await expect(ask('postgres://postgres@127.0.0.1:1/postgres')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const silent = createServer()
    const hasty = createServer((socket) => socket.resume().end())
    for (const server of [silent, hasty]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const url = `postgres://postgres@127.0.0.1:${port}/postgres`
      await expect(ask(url, 'SELECT 1', 400)).rejects.toMatchObject({ kind: 'transient' })
      // All that it took hold of is given back: a server that waits for its sockets comes to its end.
      server.close()
      if (server === hasty) await once(server, 'close')
    }
  })
})
