import type { Store } from '../store.ts'
import {
  adoptScopes,
  createDirectory,
  giveIdentity,
  type Identity,
  openShard,
  readIdentity,
  readShards,
} from './directory.ts'

/**
 * A database of the list in `DATABASE_URL`, its tables in place. `name` is its host and database,
 * without a password.
 */
export interface Shard {
  readonly name: string
  readonly store: Store
}

export interface JoinOptions {
  /**
   * After a backup was put back: the directory may be older than the homes of some scopes, which
   * are written down anew.
   */
  readonly restored?: boolean
  readonly random?: () => string
}

/**
 * Holds the databases of `DATABASE_URL` against what they know of each other, takes in those that
 * are new, and gives them by their identity. Nothing where there is one database that never was a
 * shard. The first keeps the directory; the order of the others means nothing. Throws a `TypeError`
 * where a scope would be lost from view: a shard is missing, belongs to others, or stands in the
 * list twice.
 */
export async function joinShards(
  shards: readonly Shard[],
  { restored = false, random = () => crypto.randomUUID() }: JoinOptions = {},
): Promise<ReadonlyMap<string, Store> | undefined> {
  const [first] = shards
  if (!first) throw new TypeError('DATABASE_URL names no database')
  // In the reverse order of writing: another process that joins them meanwhile must not look like a
  // wrong list.
  const known = await readShards(first.store)
  const others = await Promise.all(shards.slice(1).map(({ store }) => readIdentity(store)))
  const found = [await readIdentity(first.store), ...others]
  if (shards.length === 1 && !found[0]) return undefined
  checkFirst(shards, found)
  checkOthers(shards, found)
  const missing = [...known].filter(([id]) => !found.some((one) => one?.shard === id)).map(([, name]) => name)
  if (missing.length > 0)
    throw new TypeError(`DATABASE_URL lacks ${missing.join(' and ')}, where scopes have their home: name it again`)

  await createDirectory(first.store)
  const own = random()
  const given = [found[0] ?? (await giveIdentity(first.store, own, own))]
  for (const [place, { store }] of shards.entries()) {
    if (place > 0) given.push(found[place] ?? (await giveIdentity(store, random(), given[0]?.shard ?? own)))
  }
  // Once more, for what stood in the list twice and was nobody before.
  checkOthers(shards, given)
  const joined = new Map<string, Store>()
  for (const [place, { shard: id }] of given.entries()) {
    const { name, store } = shards[place] as Shard
    if (restored || !known.has(id)) await adopt(first.store, id, { name, store })
    if (!known.has(id)) await openShard(first.store, id, name)
    joined.set(id, store)
  }
  return joined
}

async function adopt(directory: Store, id: string, { name, store }: Shard): Promise<void> {
  const elsewhere = await adoptScopes(directory, id, store)
  if (elsewhere === 0) return
  throw new TypeError(
    `${name} holds rows of ${elsewhere} scopes that have their home in another shard: delete them in one of the two`,
  )
}

function checkFirst(shards: readonly Shard[], found: readonly (Identity | undefined)[]): void {
  const directory = found.find((identity) => identity !== undefined)?.directory
  if (directory === undefined || found[0]?.shard === directory) return
  const keeper = shards[found.findIndex((identity) => identity?.shard === directory)]
  throw new TypeError(
    keeper
      ? `DATABASE_URL must begin with ${keeper.name}: it keeps the directory of the shards`
      : 'DATABASE_URL lacks the database that keeps the directory of its shards: it must be the first',
  )
}

function checkOthers(shards: readonly Shard[], found: readonly (Identity | undefined)[]): void {
  for (const [place, identity] of found.entries()) {
    if (!identity) continue
    const name = shards[place]?.name
    const twin = found.findIndex((other) => other?.shard === identity.shard)
    if (twin !== place) {
      throw new TypeError(
        `${shards[twin]?.name} and ${name} are one shard: name it once, or, if the latter was made as a copy, empty it and drop its table driftline_shard`,
      )
    }
    if (found[0] && identity.directory !== found[0].directory)
      throw new TypeError(`${name} is a shard of other databases than ${shards[0]?.name}: take it out of DATABASE_URL`)
  }
}
