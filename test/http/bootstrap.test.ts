import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import type { Gzip } from '../../src/http/pull.ts'
import { parseCursor } from '../../src/model/cursor.ts'
import { nodeGzip } from '../../src/runtime/node/gzip.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import type { Store } from '../../src/stores/store.ts'
import { seededRandom } from '../support/random.ts'
import { del, noon, patch, principal, put, type SampleChange, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { allStoreNames, dialectStores, openTestStore, type TestStore } from '../support/stores.ts'
import { linesOf, Replica, readLines } from '../support/streams.ts'

const list = (id: string, at: number): SampleChange => ({
  table: 'lists',
  op: 'put',
  id,
  at: noon + at,
  row: { name: id },
})

describe.each(allStoreNames)('a bootstrap as a stream on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())
  let users = 0
  const someone = (...more: string[]) =>
    principal(`user${++users}`, Object.fromEntries(more.map((scope) => [scope, 'write'])))

  function serve(through: Store = opened.store, gzip?: Gzip) {
    const app = createApp({ schema, store: through, auth: { secret: testSecret }, ...(gzip && { gzip }) })
    return async (who: ReturnType<typeof principal>, query = '', headers: Record<string, string> = {}) => {
      const token = await signToken(testSecret, { sub: who.subject, scopes: [...who.scopes.keys()] })
      const stream = { Authorization: `Bearer ${token}`, Accept: 'application/x-ndjson', ...headers }
      return app.request(`/v1/pull${query}`, { headers: stream })
    }
  }

  it('begins with the number of rows to come, tombstones that it leaves out not counted', async () => {
    const sync = sampleSync(opened.store)
    const team = `team${users}`
    const who = someone(team)
    const pull = serve()
    expect(await linesOf(await pull(who))).toMatchObject([{ rows: 0 }, { more: false }])
    const puts = Array.from({ length: 7 }, (_, n) => put(`t${n}`, 0, 'x'))
    await sync.push(who, { client: 'a', changes: [...puts, del('t1', 1), del('never', 1), list('l', 0)] })
    await sync.push(who, { client: 'a', changes: [{ ...put('of the team', 0, 'x'), scope: team }] })
    const counted = async (query: string) => {
      const lines = await linesOf(await pull(who, query))
      const [first, ...rest] = lines
      expect(Object.keys(first ?? {})).toEqual(['rows', 'now'])
      expect(rest.filter((line) => 'rows' in line)).toEqual([])
      expect(rest.filter((line) => 'table' in line)).toHaveLength(Number(first?.rows))
      return { rows: first?.rows, cursors: rest.flatMap(({ cursor }) => cursor ?? []) }
    }
    const whole = await counted('?limit=3')
    expect(whole.rows).toBe(8)
    expect(whole.cursors).toHaveLength(3)
    // From its first cursor on the bootstrap still leaves out what was deleted before; what is
    // deleted now is counted.
    await sync.push(who, { client: 'a', changes: [del('t0', 2), del('t6', 2)] })
    expect((await counted(`?cursor=${whole.cursors[0]}`)).rows).toBe(6)
    expect((await counted(`?cursor=${whole.cursors.at(-1)}`)).rows).toBe(2)
    expect((await counted('?limit=1')).rows).toBe(6)
    const plain = await pull(who, '', { Accept: 'application/json' })
    expect(Object.keys(await plain.json())).toEqual(['now', 'changes', 'cursor', 'more'])
  })

  it('P1 P3 P4 P8 with writes between its pages, and from each of its cursors, a client ends with what the database holds', async () => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
    const random = seededRandom(seed)
    const sync = sampleSync(opened.store)
    const team = `team${users}`
    const who = someone(team)
    const [mine = ''] = who.scopes.keys()
    const anyId = () => `r${Math.floor(random() * 60)}`
    let at = 0
    const anyChange = (): SampleChange => {
      const [id, kind] = [anyId(), Math.floor(random() * 5)]
      const change =
        kind === 0 ? del(id, ++at) : kind === 1 ? patch(id, ++at, { notes: `n${at}` }) : put(id, ++at, `t${at}`)
      return { ...(random() < 0.2 ? list(id, at) : change), scope: random() < 0.3 ? team : mine }
    }
    const write = (count: number) =>
      sync.push(who, { client: 'a', changes: Array.from({ length: count }, anyChange), return: 'lost' })
    await write(150)

    const began = new Replica()
    const resumed: { replica: Replica; cursor: string }[] = []
    let before = new Map([...who.scopes.keys()].map((scope) => [scope, 0]))
    for await (const line of readLines(await serve()(who, '?limit=7'))) {
      began.take(line)
      if (line.cursor === undefined) continue
      const positions = new Map([...parseCursor(line.cursor)].map(([scope, { position }]) => [scope, position]))
      for (const [scope, position] of before)
        expect(positions.get(scope), `seed ${seed}`).toBeGreaterThanOrEqual(position)
      before = positions
      resumed.push({ replica: began.copy(), cursor: line.cursor })
      if (resumed.length < 12) await write(5)
    }
    expect(resumed.length).toBeGreaterThan(12)
    await write(20)
    const held = (await sync.pull(who, { limit: 5000 })).changes
    expect(held.length).toBeGreaterThan(40)
    // From each where a page is cheap, else from every third.
    const isWhole = dialectStores.includes(name as never)
    for (const { replica, cursor } of resumed.filter((_, n) => isWhole || n % 3 === 0)) {
      for await (const line of readLines(await serve()(who, `?limit=50&cursor=${cursor}`))) replica.take(line)
      expect(replica.rows(), `seed ${seed}`).toEqual(new Replica(held).rows())
    }
  })

  it('is cut by a fault, also where it is compressed, and its last cursor goes on', async () => {
    const sync = sampleSync(opened.store)
    const who = someone()
    await sync.push(who, {
      client: 'a',
      changes: Array.from({ length: 90 }, (_, n) => put(`${n}`, 0, 'x')),
      return: 'lost',
    })
    let batches = 0
    const failing: Store = {
      ...opened.store,
      batch: (scope, statements) =>
        ++batches > 4 ? Promise.reject(new Error('gone')) : opened.store.batch(scope, statements),
    }
    const replica = new Replica()
    let cursor = ''
    const response = await serve(failing, nodeGzip)(who, '?limit=20', { 'Accept-Encoding': 'gzip' })
    const reading = async () => {
      for await (const line of readLines(response)) {
        replica.take(line)
        cursor = line.cursor ?? cursor
      }
    }
    await expect(reading()).rejects.toThrow()
    // What had come was whole pages, and the cursor is of the last of them.
    expect([20, 40, 60]).toContain(replica.rows().length)
    for await (const line of readLines(await serve()(who, `?cursor=${cursor}`))) replica.take(line)
    expect(replica.rows()).toHaveLength(90)
  })
  it('hands out each page, compressed by zlib, before the next one is there', async () => {
    const sync = sampleSync(opened.store)
    const who = someone()
    await sync.push(who, { client: 'a', changes: Array.from({ length: 9 }, (_, n) => put(`${n}`, 0, 'x')) })
    let batches = 0
    const opening = Promise.withResolvers<void>()
    const waiting: Store = {
      ...opened.store,
      async batch(scope, statements) {
        if (++batches === 4) await opening.promise
        return opened.store.batch(scope, statements)
      },
    }
    const cursors: string[] = []
    const compressed = { 'Accept-Encoding': 'gzip' }
    for await (const line of readLines(await serve(waiting, nodeGzip)(who, '?limit=3', compressed))) {
      if (line.cursor !== undefined) cursors.push(line.cursor)
      if (cursors.length === 2) opening.resolve()
    }
    expect(cursors).toHaveLength(3)
  })

  // What is done with the pages is the same over every store.
  if (!dialectStores.includes(name as never)) return

  it.each<[string, Gzip | undefined]>([
    ['as it is', undefined],
    ['by CompressionStream', () => new CompressionStream('gzip') as never],
    ['by zlib', nodeGzip],
  ])(
    'compressed %s it has the same lines, reads no further than it is read, and ends when it is left',
    async (_, gzip) => {
      const sync = sampleSync(opened.store)
      const who = someone()
      // Nothing that compresses well: back-pressure comes from what is compressed.
      const noise = () => Array.from({ length: 30 }, () => crypto.randomUUID()).join('')
      const changes = Array.from({ length: 1500 }, (_, n) => put(`${n}`, 0, 'x', { notes: noise() }))
      await sync.push(who, { client: 'a', changes, return: 'lost' })
      let batches = 0
      const counting: Store = {
        ...opened.store,
        batch(scope, statements) {
          batches++
          return opened.store.batch(scope, statements)
        },
      }
      const pull = serve(counting, gzip)
      const plain = await (await serve()(who, '?limit=50')).text()
      const encoding = { 'Accept-Encoding': gzip ? 'br, GZIP;q=0.5' : 'br, gzip;q=0.0' }
      const response = await pull(who, '?limit=50', encoding)
      expect(response.headers.get('content-encoding')).toBe(gzip ? 'gzip' : null)
      expect(response.headers.get('vary')).toBe('Accept, Accept-Encoding')
      const body = response.body as ReadableStream<Uint8Array<ArrayBuffer>>
      const text = await new Response(gzip ? body.pipeThrough(new DecompressionStream('gzip')) : body).text()
      // Whatever the cursors hold is the same in both: nothing was written.
      const timeless = (lines: string) => lines.replace(/"now":\d+/, '')
      expect(timeless(text)).toBe(timeless(plain))
      expect(batches).toBe(31)

      batches = 0
      const left = (await pull(who, '?limit=50', encoding)).body?.getReader()
      await left?.read()
      await new Promise((resolve) => setTimeout(resolve, 100))
      const ahead = batches
      expect(ahead).toBeLessThan(20)
      await left?.cancel()
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(batches).toBeLessThanOrEqual(ahead + 1)
    },
  )
})
