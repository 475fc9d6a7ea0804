import { afterEach, describe, expect, it } from 'vitest'
import { findDatabases } from '../../src/runtime/node/databases.ts'
import { openStore } from '../../src/stores/open.ts'
import { findHome } from '../../src/stores/shards/directory.ts'
import { shardedStore } from '../../src/stores/shards/sharded.ts'
import type { Store } from '../../src/stores/store.ts'
import { create, createMigrated, idsOf, migrateAll, openUrls, push, query, scopesIn } from '../support/many.ts'
import { principal, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { createDatabase } from '../support/stores.ts'
import { startTurnProxy } from '../support/turn-proxy.ts'

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

  it('P11 each scope lives on one shard, all of its rows, and every shard has its share', async () => {
    const urls = await createMigrated(3)
    const store = await open(...urls)
    const scopes = scopesOf(60)
    for (const scope of scopes) await push(store, scope)
    const found = await Promise.all(urls.map(scopesIn))
    expect(found.flat().toSorted()).toEqual(scopes.toSorted())
    for (const share of found) expect(share.length).toBeGreaterThan(4)
    for (const [n, url] of urls.entries())
      expect((await query(url, 'SELECT DISTINCT scope FROM todos ORDER BY 1')).flat()).toEqual(found[n])
  })

  it('P3 a shard that is added moves no scope, and takes its share of the new ones', async () => {
    const urls = await createMigrated(3)
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
    expect((await scopesIn(urls[2]!)).length).toBeGreaterThan(0)
    // A server with the older list still serves what it can reach, and says 503 to the rest: it
    // writes nothing elsewhere.
    const outcomes = await Promise.allSettled(scopesOf(30, 'new').map((scope) => push(before, scope, 'b')))
    const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))
    expect(new Set(refused)).toEqual(new Set(['UNKNOWN_SHARD']))
    expect(refused.length).toBe((await scopesIn(urls[2]!)).length)
  })

  it('one database becomes the first of two, or the second, and keeps its scopes', async () => {
    const [old, second, first] = (await createMigrated(3)) as [string, string, string]
    const alone = await open(old)
    const scopes = [...scopesOf(1_100), 'Ünïcode "\' \\ $1']
    for (const scope of scopes.slice(-3)) await push(alone, scope)
    await query(
      old,
      `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) SELECT 's' || n, 'i', 0, 0, 0 FROM generate_series(0, 1097) AS n`,
    )
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
    const urls = await createMigrated(3)
    const [one, other] = [await open(...urls), await open(...urls)]
    const scopes = scopesOf(20)
    await Promise.all(
      scopes.flatMap((scope) => [push(one, scope, 'a'), push(other, scope, 'b'), push(one, scope, 'c')]),
    )
    expect((await Promise.all(urls.map(scopesIn))).flat().toSorted()).toEqual(scopes.toSorted())
    for (const scope of scopes) expect((await idsOf(one, scope)).toSorted()).toEqual(['a', 'b', 'c'])
  })

  it('processes with lists that differ agree on the home of a scope that both choose at once', async () => {
    const urls = await createMigrated(2)
    await open(...urls)
    const directories = await Promise.all(urls.slice(0, 1).flatMap((url) => [openStore(url), openStore(url)]))
    stores.push(...directories)
    for (const scope of scopesOf(20)) {
      const homes = await Promise.all(directories.map((directory) => findHome(directory, scope, false)))
      expect(homes[0]).toBe(homes[1])
    }
  })

  it('starts side by side on databases that are new, twice', async () => {
    for (let round = 0; round < 2; round++) {
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

  it('gives a migration an hour, a request ten seconds, and neither longer for a lock', async () => {
    const databases = findDatabases(await createDatabase(), schema)
    const [first] = await databases.list()
    const show = ['statement_timeout', 'lock_timeout'].map((name) => ({ sql: `SHOW ${name}`, params: [] }))
    for (const [opened, times] of [
      [await first!.open(), ['54min', '9s']],
      [await databases.open([]), ['9s', '0']],
    ] as const) {
      stores.push(opened)
      expect((await opened.batch('a', show)).flat(2)).toEqual(times)
    }
  })

  it('a pull of a scope that was never written writes nothing down', async () => {
    const urls = await createMigrated(2)
    const store = await open(...urls)
    expect(await sampleSync(store).pull(principal('nobody'))).toMatchObject({ changes: [], more: false })
    expect(await query(urls[0]!, 'SELECT * FROM driftline_homes')).toEqual([])
  })

  it('asks the directory once for each scope, and remembers so many', async () => {
    const urls = await createMigrated(2)
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
    const urls = await createMigrated(2)
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
    const urls = await createMigrated(2)
    const away = new URL(urls[1]!)
    const proxy = await startTurnProxy(Number(away.port))
    away.port = String(proxy.port)
    const store = await open(urls[0]!, away.href)
    for (const scope of scopesOf(24)) await push(store, scope)
    const there = await scopesIn(urls[0]!)
    proxy.close()
    for (const scope of scopesOf(24)) {
      if (there.includes(scope))
        expect((await push(store, scope, 'b')).verdicts).toMatchObject([{ verdict: 'applied' }])
      else await expect(push(store, scope, 'b')).rejects.toMatchObject({ kind: 'transient' })
    }
    expect(there.length).toBeLessThan(24)
  })

  it('P16 after the directory was put back from a backup the homes since then are written down anew', async () => {
    const urls = await createMigrated(2)
    const store = await open(...urls)
    for (const scope of scopesOf(12)) await push(store, scope)
    const homes = await query(urls[0]!, 'SELECT scope, shard FROM driftline_homes ORDER BY 1')
    await query(urls[0]!, "DELETE FROM driftline_homes WHERE scope > 's3'")
    const restored = await findDatabases(urls.join(' '), schema).open([], { restored: true })
    stores.push(restored)
    expect(await query(urls[0]!, 'SELECT scope, shard FROM driftline_homes ORDER BY 1')).toEqual(homes)
  })

  it('P2 after the first database was lost an empty one takes its place, and finds where the other scopes are', async () => {
    const [lost, other, fresh] = (await createMigrated(3)) as [string, string, string]
    const store = await open(lost, other)
    const scopes = scopesOf(24)
    for (const scope of scopes) await push(store, scope)
    const kept = await scopesIn(other)
    const gone = scopes.find((scope) => !kept.includes(scope)) as string
    const { cursor } = await sampleSync(store).pull(principal(gone))
    await expect(open(fresh, other)).rejects.toThrow('lacks the database that keeps the directory of its shards')
    const [[directory] = []] = await query(other, 'SELECT directory FROM driftline_shard')
    await query(
      fresh,
      `CREATE TABLE driftline_shard (one boolean PRIMARY KEY DEFAULT true CHECK (one), shard text NOT NULL, directory text NOT NULL);
       INSERT INTO driftline_shard (shard, directory) VALUES ('${directory}', '${directory}')`,
    )
    const repaired = await open(fresh, other)
    expect(kept.length).toBeGreaterThan(0)
    const resync = { code: 'resync', members: { reason: 'restored', scopes: [gone] } }
    await expect(sampleSync(repaired).pull(principal(gone), { cursor })).rejects.toMatchObject(resync)
    for (const scope of scopes) {
      expect(await idsOf(repaired, scope)).toEqual(kept.includes(scope) ? ['a'] : [])
      await push(repaired, scope, 'b')
    }
    expect((await Promise.all([fresh, other].map(scopesIn))).flat().toSorted()).toEqual(scopes.toSorted())
    expect(await query(fresh, 'SELECT count(*)::int FROM driftline_shards WHERE open')).toEqual([[2]])
  })
})
