import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { findDatabases } from '../src/databases.ts'
import { openStore } from '../src/node-store.ts'
import { schema } from '../src/schema.ts'
import { findHome } from '../src/stores/shard-directory.ts'
import { shardedStore } from '../src/stores/sharded.ts'
import type { Store } from '../src/stores/store.ts'
import { migrateAll, openUrls } from './support/many.ts'
import { principal, put, sampleSync } from './support/sample.ts'
import { createDatabase } from './support/stores.ts'
import { startTurnProxy } from './support/turn-proxy.ts'

const scopesOf = (count: number, prefix = 's') => Array.from({ length: count }, (_, n) => `${prefix}${n}`)

describe('shards of Postgres', () => {
  const stores: Store[] = []
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close()
  })
  async function open(...urls: string[]): Promise<Store> {
    const store = await openUrls(urls)
    stores.push(store)
    return store
  }
  const create = (count: number) => Promise.all(Array.from({ length: count }, () => createDatabase()))
  const push = (store: Store, scope: string, id = 'a') =>
    sampleSync(store).push(principal(scope), { client: 'a', changes: [put(id, 0, scope)] })
  const idsOf = async (store: Store, scope: string) =>
    (await sampleSync(store).pull(principal(scope))).changes.map(({ id }) => id)
  async function query(url: string, sql: string): Promise<unknown[][]> {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query({ text: sql, rowMode: 'array' })).rows
    } finally {
      await client.end()
    }
  }
  const scopesIn = async (url: string) => (await query(url, 'SELECT scope FROM driftline_scopes ORDER BY 1')).flat()

  it('P11 each scope lives on one shard, all of its rows, and every shard has its share', async () => {
    const urls = await create(3)
    const store = await open(...urls)
    const scopes = scopesOf(60)
    for (const scope of scopes) await push(store, scope)
    const found = await Promise.all(urls.map(scopesIn))
    expect(found.flat().toSorted()).toEqual(scopes.toSorted())
    for (const share of found) expect(share.length).toBeGreaterThan(8)
    for (const [n, url] of urls.entries())
      expect((await query(url, 'SELECT DISTINCT scope FROM todos ORDER BY 1')).flat()).toEqual(found[n])
  })

  it('P3 a shard that is added moves no scope, and takes its share of the new ones', async () => {
    const urls = await create(3)
    const before = await open(...urls.slice(0, 2))
    const scopes = scopesOf(30)
    const cursors = new Map<string, string>()
    for (const scope of scopes) {
      await push(before, scope)
      cursors.set(scope, (await sampleSync(before).pull(principal(scope))).cursor)
    }
    const after = await open(...urls)
    for (const scope of scopes) {
      await push(after, scope, 'b')
      const { changes } = await sampleSync(after).pull(principal(scope), { cursor: cursors.get(scope) ?? null })
      expect(changes.map(({ id }) => id)).toEqual(['b'])
    }
    expect(await scopesIn(urls[2]!)).toEqual([])
    for (const scope of scopesOf(30, 'new')) await push(after, scope)
    expect((await scopesIn(urls[2]!)).length).toBeGreaterThan(3)
    // A server with the older list still serves what it can reach, and says 503 to the rest: it writes nothing elsewhere.
    const outcomes = await Promise.allSettled(scopesOf(30, 'new').map((scope) => push(before, scope, 'b')))
    const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
    expect(new Set(refused)).toEqual(new Set(['UNKNOWN_SHARD']))
    expect(refused.length).toBe((await scopesIn(urls[2]!)).length)
  })

  it('one database becomes the first of two, or the second, and keeps its scopes', async () => {
    const [old, second, first] = (await create(3)) as [string, string, string]
    const alone = await open(old)
    const scopes = [...scopesOf(1_100), 'Ünïcode "\' \\ $1']
    for (const scope of scopes.slice(-3)) await push(alone, scope)
    await query(old, `INSERT INTO driftline_scopes SELECT 's' || n, 'i', 0, 0, 0 FROM generate_series(0, 1097) AS n`)
    const two = await open(old, second)
    for (const scope of scopes.slice(-3)) expect(await idsOf(two, scope)).toEqual(['a'])
    expect(await query(old, 'SELECT count(*)::int FROM driftline_homes')).toEqual([[scopes.length]])

    const other = await createDatabase()
    await push(await open(other), 'mine')
    const joined = await open(first, other)
    expect(await idsOf(joined, 'mine')).toEqual(['a'])
    await push(joined, 'mine', 'b')
    expect(await scopesIn(first)).toEqual([])
  })

  it('P2 two processes that first write one scope at once write it to one shard', async () => {
    const urls = await create(3)
    const [one, other] = [await open(...urls), await open(...urls)]
    const scopes = scopesOf(20)
    await Promise.all(
      scopes.flatMap((scope) => [push(one, scope, 'a'), push(other, scope, 'b'), push(one, scope, 'c')]),
    )
    expect((await Promise.all(urls.map(scopesIn))).flat().toSorted()).toEqual(scopes.toSorted())
    for (const scope of scopes) expect((await idsOf(one, scope)).toSorted()).toEqual(['a', 'b', 'c'])
  })

  it('processes with lists that differ agree on the home of a scope that both choose at once', async () => {
    const urls = await create(2)
    await open(...urls)
    const directories = await Promise.all(urls.slice(0, 1).flatMap((url) => [openStore(url), openStore(url)]))
    stores.push(...directories)
    for (const scope of scopesOf(20)) {
      const homes = await Promise.all(directories.map((directory) => findHome(directory, scope, false)))
      expect(homes[0]).toBe(homes[1])
    }
  })

  it('starts side by side on databases that are new, ten times over', async () => {
    for (let round = 0; round < 10; round++) {
      const urls = await create(2)
      await migrateAll(findDatabases(urls.join(' '), schema))
      const opened = await Promise.all(Array.from({ length: 4 }, () => findDatabases(urls.join(' '), schema).open([])))
      expect(await query(urls[0]!, 'SELECT count(*)::int FROM driftline_shards')).toEqual([[2]])
      await push(opened[0]!, 'a')
      for (const store of opened) {
        expect(await idsOf(store, 'a')).toEqual(['a'])
        await store.close()
      }
    }
  })

  it('a pull of a scope that was never written writes nothing down', async () => {
    const urls = await create(2)
    const store = await open(...urls)
    expect(await sampleSync(store).pull(principal('nobody'))).toMatchObject({ changes: [], more: false })
    expect(await query(urls[0]!, 'SELECT * FROM driftline_homes')).toEqual([])
  })

  it('asks the directory once for each scope, and remembers so many', async () => {
    const urls = await create(2)
    await open(...urls)
    let asked = 0
    const first = await openStore(urls[0]!)
    stores.push(first)
    const ids = (await query(urls[0]!, 'SELECT shard FROM driftline_shards')).flat().map(String)
    const directory: Store = {
      ...first,
      batch(scope, statements) {
        asked++
        return first.batch(scope, statements)
      },
    }
    const store = shardedStore(directory, new Map(ids.map((id) => [id, first])), 2)
    for (const scope of ['a', 'a', 'b', 'a', 'b', 'c', 'b', 'a']) await push(store, scope, scope)
    expect(asked).toBe(4)
  })

  it('a shard that is closed for new scopes keeps its own', async () => {
    const urls = await create(2)
    const store = await open(...urls)
    for (const scope of scopesOf(10)) await push(store, scope)
    const before = await scopesIn(urls[1]!)
    await query(
      urls[0]!,
      `UPDATE driftline_shards SET open = false WHERE name = '${new URL(urls[1]!).host}${new URL(urls[1]!).pathname}'`,
    )
    for (const scope of scopesOf(20)) await push(store, scope, 'b')
    expect(await scopesIn(urls[1]!)).toEqual(before)
    await query(urls[0]!, 'UPDATE driftline_shards SET open = false')
    await expect(push(store, 'late')).rejects.toMatchObject({ kind: 'transient', code: 'NO_OPEN_SHARD' })
    expect(await idsOf(store, 's0')).toHaveLength(2)
  })

  it('P13 while one shard is away its scopes get 503, and the others go on', async () => {
    const urls = await create(2)
    const away = new URL(urls[1]!)
    const proxy = await startTurnProxy(Number(away.port))
    away.port = String(proxy.port)
    const store = await open(urls[0]!, away.href)
    for (const scope of scopesOf(10)) await push(store, scope)
    const there = await scopesIn(urls[0]!)
    proxy.close()
    for (const scope of scopesOf(10)) {
      if (there.includes(scope))
        expect((await push(store, scope, 'b')).verdicts).toMatchObject([{ verdict: 'applied' }])
      else await expect(push(store, scope, 'b')).rejects.toMatchObject({ kind: 'transient' })
    }
    expect(there.length).toBeLessThan(10)
  })

  describe('P16 refuses at start, with the name of the database,', () => {
    const nameOf = (url: string) => new URL(url).host + new URL(url).pathname
    const opening = (...urls: string[]) => findDatabases(urls.join(' '), schema).open([])

    it('a list that lacks a shard', async () => {
      const urls = await create(3)
      await open(...urls)
      await expect(opening(urls[0]!, urls[2]!)).rejects.toThrow(
        `DATABASE_URL lacks ${nameOf(urls[1]!)}, where scopes have their home`,
      )
      await expect(opening(urls[0]!)).rejects.toThrow(/^DATABASE_URL lacks .* and /)
    })

    it('a list in which another database took the place of one', async () => {
      const urls = await create(3)
      await open(...urls.slice(0, 2))
      await expect(opening(urls[0]!, urls[2]!)).rejects.toThrow(`DATABASE_URL lacks ${nameOf(urls[1]!)}`)
      await expect(opening(urls[2]!, urls[1]!)).rejects.toThrow(
        'DATABASE_URL lacks the database that keeps the directory',
      )
    })

    it('a list that does not begin with the directory; the order of the others means nothing', async () => {
      const urls = await create(3)
      await push(await open(...urls), 'a')
      await expect(opening(urls[1]!, urls[0]!, urls[2]!)).rejects.toThrow(
        `DATABASE_URL must begin with ${nameOf(urls[0]!)}`,
      )
      await expect(opening(urls[1]!)).rejects.toThrow('lacks the database that keeps the directory')
      expect(await idsOf(await open(urls[0]!, urls[2]!, urls[1]!), 'a')).toEqual(['a'])
    })

    it('one database twice, new or known', async () => {
      const [one, other] = (await create(2)) as [string, string]
      await migrateAll(findDatabases(one, schema))
      await expect(opening(one, one)).rejects.toThrow(`${nameOf(one)} and ${nameOf(one)} are one shard`)
      await open(one, other)
      await expect(opening(one, other, other)).rejects.toThrow(`${nameOf(other)} and ${nameOf(other)} are one shard`)
    })

    it('a shard of others', async () => {
      const urls = await create(4)
      await open(urls[0]!, urls[1]!)
      await open(urls[2]!, urls[3]!)
      await expect(opening(urls[0]!, urls[1]!, urls[3]!)).rejects.toThrow(
        `${nameOf(urls[3]!)} is a shard of other databases`,
      )
    })

    it('a database that brings rows of a scope which is at home elsewhere', async () => {
      const urls = await create(3)
      await push(await open(urls[2]!), 'mine')
      await push(await open(urls[0]!, urls[1]!), 'mine')
      await expect(opening(...urls)).rejects.toThrow(
        `${nameOf(urls[2]!)} holds rows of 1 scopes that have their home in another shard`,
      )
    })
  })

  it('P16 after the directory was put back from a backup the homes since then are written down anew', async () => {
    const urls = await create(2)
    const store = await open(...urls)
    for (const scope of scopesOf(12)) await push(store, scope)
    const homes = await query(urls[0]!, 'SELECT scope, shard FROM driftline_homes ORDER BY 1')
    await query(urls[0]!, "DELETE FROM driftline_homes WHERE scope > 's3'")
    const restored = await findDatabases(urls.join(' '), schema).open([], { restored: true })
    stores.push(restored)
    expect(await query(urls[0]!, 'SELECT scope, shard FROM driftline_homes ORDER BY 1')).toEqual(homes)
  })
})
