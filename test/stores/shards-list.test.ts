import { afterEach, describe, expect, it } from 'vitest'
import { findDatabases } from '../../src/runtime/node/databases.ts'
import type { Store } from '../../src/stores/store.ts'
import { create, idsOf, migrateAll, openUrls, push } from '../support/many.ts'
import { schema } from '../support/schema.ts'

describe('P16 npm start refuses, with the name of the database,', () => {
  const stores: Store[] = []
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close()
  })
  async function open(...urls: string[]): Promise<Store> {
    const store = await openUrls(urls)
    stores.push(store)
    return store
  }
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
