import { limits } from '../../model/limits.ts'
import { scopeToName } from '../../model/scope-name.ts'
import type { Dialect } from '../../sql/dialect.ts'
import { checkNumbers, type Rehearsal, readsOnly, type Store, StoreFault } from '../store.ts'

export interface PerScopeOptions {
  readonly dialect: Dialect
  /** Opens the database of a name from `scopeToName`, ready for use. */
  readonly open: (name: string) => Promise<Store>
  /**
   * Whether a database is there. Where it is not, a read is answered with no rows and nothing is
   * opened: whoever holds a token may name scopes without end, and a file for each would fill the
   * disk.
   */
  readonly exists?: (name: string) => boolean
  /** Whether a new database could be opened, without opening one. Fails where not. */
  readonly ping?: () => Promise<void>
  /** Whether its databases can rehearse. */
  readonly rehearses?: boolean
  /** As of a store. */
  readonly rowsAtOnceMax?: number | undefined
  /** Databases that are held open at the most. */
  readonly openMax?: number
}

interface Opened {
  readonly store: Promise<Store>
  /** Batches that are under way. */
  batches: number
}

/**
 * A database for each scope, as one store. A database is opened when its scope is first asked for
 * and kept until others need its place; one with a batch under way is never closed, and who finds
 * no place waits for one.
 */
export function perScopeStore({
  dialect,
  open,
  exists = () => true,
  ping = async () => {},
  rehearses = false,
  rowsAtOnceMax,
  openMax = limits.databasesOpenMax,
}: PerScopeOptions): Store {
  /** Least recently used first. */
  const opened = new Map<string, Opened>()
  const waiting: (() => void)[] = []
  /** Databases that are open, or still being closed. */
  let held = 0
  let closed = false

  async function take(scope: string, name: string): Promise<Opened> {
    while (!opened.has(scope) && held >= openMax && !closed) {
      await (closeIdle() ?? new Promise<void>((resolve) => waiting.push(resolve)))
    }
    if (closed) throw new StoreFault('transient', { message: 'the store is closed' })
    let entry = opened.get(scope)
    if (!entry) {
      entry = { store: open(name), batches: 0 }
      held++
    }
    entry.batches++
    opened.delete(scope)
    opened.set(scope, entry)
    return entry
  }

  function closeIdle(): Promise<void> | undefined {
    for (const [scope, entry] of opened) if (entry.batches === 0) return drop(scope, entry)
    return undefined
  }

  async function drop(scope: string, entry: Opened): Promise<void> {
    if (opened.get(scope) !== entry) return
    opened.delete(scope)
    await entry.store.then((store) => store.close()).catch(() => {})
    held--
    waiting.shift()?.()
  }

  async function use<Result>(scope: string, name: string, work: (store: Store) => Promise<Result>): Promise<Result> {
    const entry = await take(scope, name)
    try {
      const store = await entry.store.catch(async (error: unknown) => {
        await drop(scope, entry)
        throw openFault(error)
      })
      return await work(store)
    } finally {
      entry.batches--
      waiting.shift()?.()
    }
  }

  async function rehearse(scope: string, rehearsal: Rehearsal) {
    return use(scope, await scopeToName(scope), (store) => {
      if (!store.rehearse) throw new TypeError('A database that cannot rehearse was said to')
      return store.rehearse(scope, rehearsal)
    })
  }

  return {
    dialect,
    ...(rehearses && { rehearse }),
    ...(rowsAtOnceMax !== undefined && { rowsAtOnceMax }),
    async batch(scope, statements) {
      checkNumbers(statements)
      const name = await scopeToName(scope)
      if (!opened.has(scope) && readsOnly(statements) && !exists(name)) return statements.map(() => [])
      return use(scope, name, (store) => store.batch(scope, statements))
    },
    async ping() {
      await ping().catch((error: unknown) => {
        throw openFault(error)
      })
    },
    async close() {
      closed = true
      for (const wake of waiting.splice(0)) wake()
      await Promise.all([...opened].map(([scope, entry]) => drop(scope, entry)))
    },
  }
}

/** A database that could not be opened says nothing of the rows that were meant for it (P13). */
function openFault(error: unknown): StoreFault {
  const { message, cause } = error instanceof Error ? error : new Error(String(error))
  const fault = [error, cause].find((one) => one instanceof StoreFault)
  const code = fault ? fault.code : codeOf(error)
  const passing = fault ? fault.kind === 'transient' || fault.kind === 'conflict' : code !== undefined
  return new StoreFault(passing ? 'transient' : 'broken', { message, code, cause: error })
}

/** Such as EACCES or ENOSPC, of the file system. A mistake of ours has none. */
function codeOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}
