import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import { retryConflicts, type Store } from '../../src/stores/store.ts'
import { createDatabase } from '../support/stores.ts'

const statement = (sql: string, ...params: string[]) => ({ sql, params })
const add = (id: string) => statement('INSERT INTO t VALUES ($1::int) RETURNING a', id)
const read = { ...statement('SELECT a FROM t WHERE a > $1::int', '0'), reads: true as const }
const prepared = { ...statement(`SELECT count(*) FROM pg_prepared_statements`), reads: true as const }

describe('statements that come again, on Postgres', () => {
  const closing: (() => unknown)[] = []
  let url: string
  let other: pg.Client
  beforeEach(async () => {
    url = await createDatabase()
    other = new pg.Client({ connectionString: url })
    await other.connect()
    closing.push(() => other.end())
    await other.query('CREATE TABLE t (a int PRIMARY KEY)')
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  /** One connection, so that it is known who has prepared what. */
  function open(at = url): Store {
    const store = postgresStore(at, { connectionsMax: 1 })
    closing.push(() => store.close())
    return store
  }
  const count = async (store: Store) => Number((await store.batch('', [prepared]))[0]?.[0]?.[0])
  const times = async (store: Store, n: number) => {
    for (let time = 0; time < n; time++) await store.batch('', [read])
  }

  it('are prepared once, and those that come once are not', async () => {
    const store = open()
    await times(store, 5)
    for (let n = 0; n < 5; n++) await store.batch('', [{ ...statement(`SELECT ${n}`), reads: true }])
    const once = await count(store)
    await times(store, 5)
    expect(await count(store)).toBe(once + 1)
    expect(once).toBeGreaterThanOrEqual(1)
    expect(once).toBeLessThanOrEqual(2)
  })

  it('P13 work on after a batch that failed, in it and behind what failed', async () => {
    const store = open()
    for (const id of ['1', '2', '3']) await store.batch('', [add(id), read])
    for (let time = 0; time < 3; time++) {
      const late = statement(`SELECT $1::text || 'late'`, 'x')
      await expect(store.batch('', [read, add('3'), late])).rejects.toMatchObject({ kind: 'refused' })
      expect(await store.batch('', [late, add(String(10 + time))])).toHaveLength(2)
    }
    expect((await store.batch('', [read]))[0]).toHaveLength(6)
  })

  it('P13 are taken for prepared only where they are, after batches that failed before them', async () => {
    const store = open()
    const texts = ['a', 'b', 'c'].map((name) => statement(`SELECT $1::text || '${name}'`, 'x'))
    const [a, b, c] = texts as [(typeof texts)[0], (typeof texts)[0], (typeof texts)[0]]
    // Each has come once before, so that it has a name from now on.
    for (const one of [add('1'), a, b, c]) await store.batch('', [one])
    for (let time = 0; time < 3; time++)
      await expect(store.batch('', [add('1'), a])).rejects.toMatchObject({ kind: 'refused' })
    expect(await store.batch('', [b, c])).toEqual([[['xb']], [['xc']]])
    expect(await store.batch('', [a, b, c])).toEqual([[['xa']], [['xb']], [['xc']]])
  })

  it('a statement that comes twice in one batch is prepared once', async () => {
    const store = open()
    await times(store, 1)
    await store.batch('', [add('1'), add('2'), add('3')])
    await store.batch('', [add('4'), add('5'), read])
    expect((await store.batch('', [read]))[0]).toHaveLength(5)
  })

  it('P13 work on where a column has another type than before', async () => {
    const store = open()
    await store.batch('', [add('1')])
    await times(store, 8)
    await other.query('ALTER TABLE t ALTER a TYPE bigint')
    expect(await retryConflicts(() => store.batch('', [read]))).toEqual([[['1']]])
    expect(await store.batch('', [add('2'), read])).toEqual([[['2']], [['1'], ['2']]])
  })

  it('P13 work on where somebody has deallocated them all', async () => {
    const store = open()
    await times(store, 4)
    await store.batch('', [statement('DEALLOCATE ALL')])
    expect(await retryConflicts(() => store.batch('', [add('1'), read]))).toEqual([[['1']], [['1']]])
    await times(store, 4)
    expect(await count(store)).toBe(0)
  })

  it('are left as they are behind a pooler, which says another number than the server has', async () => {
    const { port, close } = await startPooler(Number(new URL(url).port))
    closing.push(close)
    const store = open(url.replace(/:\d+\//, `:${port}/`))
    await times(store, 5)
    expect(await count(store)).toBe(0)
    expect(await store.batch('', [add('1'), read])).toEqual([[['1']], [['1']]])
  })
})

/** Hands everything on but the number of the server's process, as poolers have numbers of their own. */
async function startPooler(to: number): Promise<{ port: number; close: () => void }> {
  const sockets: { destroy(): void }[] = []
  const server: Server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1')
    sockets.push(client, upstream)
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      // BackendKeyData: K, twelve bytes long, the number and a secret.
      const at = chunk.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]))
      if (at >= 0) chunk.writeUInt32BE(4_000_000, at + 5)
      client.write(chunk)
    })
    for (const socket of [client, upstream]) socket.on('error', () => {})
    client.on('close', () => upstream.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
