import { createBoundedMap } from '../../model/bounded-map.ts'
import { limits } from '../../model/limits.ts'
import { checkNumbers, pingStore, readsOnly, type Store, StoreFault } from '../store.ts'
import { findHome, pingDirectory } from './directory.ts'

/**
 * Several Postgres databases as one store. Each scope has its home on one of them for ever, written
 * down in the directory when the scope is first written. That is one round trip more, the first
 * time that a process sees a scope; a scope that was never written is looked up each time, and read
 * nowhere.
 */
export function shardedStore(
  directory: Store,
  shards: ReadonlyMap<string, Store>,
  homesMax: number = limits.homesMax,
): Store {
  /**
   * Never wrong, since no home ever changes; the oldest are forgotten so that memory stays flat.
   */
  const homes = createBoundedMap<string, string>(homesMax)

  async function homeOf(scope: string, reads: boolean): Promise<string | undefined> {
    const known = homes.get(scope)
    if (known !== undefined) return known
    const home = await findHome(directory, scope, reads)
    if (home === undefined) return undefined
    homes.set(scope, home)
    return home
  }

  return {
    dialect: directory.dialect,
    parts: [...shards.values()],
    // A scope that was never written has no home yet, and may get any: it stands for itself. No
    // home's name has a space.
    placeOf: async (scope) => (await homeOf(scope, true)) ?? ` ${scope}`,
    async batch(scope, statements) {
      checkNumbers(statements)
      if (scope === '') throw new TypeError('A batch without a scope goes to one shard, not to all of them')
      const home = await homeOf(scope, readsOnly(statements))
      if (home === undefined) return statements.map(() => [])
      const shard = shards.get(home)
      // Another process runs with a longer list already, and this one will be started anew with it.
      if (!shard) throw new StoreFault('transient', { message: `no shard ${home} here`, code: 'UNKNOWN_SHARD' })
      return shard.batch(scope, statements)
    },
    async ping(statements) {
      const all = [...shards.values()].map((shard) => pingStore(shard, statements))
      await Promise.all([pingDirectory(directory), ...all])
    },
    async close() {
      await Promise.all([...shards.values()].map((shard) => shard.close()))
    },
  }
}
