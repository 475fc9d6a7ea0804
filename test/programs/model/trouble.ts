import { postgresFault, sqliteFault } from '../../../src/stores/fault.ts'
import { readsOnly, type Store } from '../../../src/stores/store.ts'

/**
 * What the database does to one request: fails from that batch on, or before or after that batch
 * alone.
 */
export interface Trouble {
  readonly kind: 'outage' | 'fault before' | 'fault after'
  readonly batch: number
  /** Batches so far. */
  batches: number
  fired: boolean
  /** Scopes that were written all the same. */
  readonly written: Set<string>
}

export function newTrouble(kind: Trouble['kind'], batch: number): Trouble {
  return { kind, batch, batches: 0, fired: false, written: new Set() }
}

/** The store of the moment, with the trouble of the moment. */
export function troubledStore(storeNow: () => Store, troubleNow: () => Trouble | undefined): Store {
  return {
    get dialect() {
      return storeNow().dialect
    },
    get limits() {
      return storeNow().limits as NonNullable<Store['limits']>
    },
    async batch(scope, statements) {
      const trouble = troubleNow()
      const place = trouble ? trouble.batches++ : 0
      const isHit = trouble && (trouble.kind === 'outage' ? place >= trouble.batch : place === trouble.batch)
      if (isHit && trouble.kind !== 'fault after') throw fail(trouble, storeNow())
      const results = await storeNow().batch(scope, statements)
      if (!readsOnly(statements)) trouble?.written.add(scope)
      if (isHit) throw fail(trouble, storeNow())
      return results
    },
    close: () => storeNow().close(),
  }
}

/** As the drivers tell of it, so that what driftline makes of an error is under test as well. */
function fail(trouble: Trouble, { dialect }: Store): Error {
  trouble.fired = true
  const codes = dialect.name === 'postgres' ? ['57P01', '53300', undefined] : ['SQLITE_BUSY', 'SQLITE_IOERR']
  const error = { message: 'in trouble', code: codes[trouble.batch % codes.length] }
  return dialect.name === 'postgres' ? postgresFault(error) : sqliteFault(error)
}
