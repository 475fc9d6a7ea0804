import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Client, createClient } from '@libsql/client/sqlite3'
import { sqlite } from '../dialects/sqlite.ts'
import { limits } from '../limits.ts'
import { sqliteFault } from './faults.ts'
import { toCells, toInStatement } from './libsql.ts'
import { type Cells, type Store, StoreFault } from './store.ts'

/**
 * A local libSQL file, for Node: `file:data/app.db`. The engine runs in this thread, so the batches of a process never
 * meet; those of another process are waited for, without blocking, up to the deadline.
 */
export async function libsqlFileStore(url: string): Promise<Store> {
  if (url.includes(':memory:'))
    throw new TypeError('Give a file: a database in memory is lost with its first busy moment')
  mkdirSync(dirname(url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length)), { recursive: true })
  let client: Client | undefined
  let closed = false

  async function attempt(statements: Parameters<Store['batch']>[1]): Promise<Cells[][]> {
    client ??= await open(url)
    try {
      const [only] = statements
      if (statements.length === 1 && only) return toCells([await client.execute(toInStatement(only))])
      const mode = statements.every(({ sql }) => sql.startsWith('SELECT')) ? 'read' : 'write'
      return toCells(await client.batch(statements.map(toInStatement), mode))
    } catch (error) {
      const fault = sqliteFault(error)
      // A client that has met SQLITE_BUSY, or a sick disk, may acknowledge later writes and lose them: never use it again.
      if (fault.kind !== 'aborted' && fault.kind !== 'refused') {
        client.close()
        client = undefined
      }
      throw fault
    }
  }

  const store: Store = {
    dialect: sqlite,
    async batch(_scope, statements) {
      for (const until = Date.now() + limits.databaseMsMax; ; ) {
        if (closed) throw new StoreFault('transient', { message: 'the store is closed' })
        try {
          return await attempt(statements)
        } catch (fault) {
          const { code = '' } = fault as StoreFault
          if (!/^SQLITE_(BUSY|LOCKED)/.test(code) || Date.now() > until) throw fault
          await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 45))
        }
      }
    },
    async close() {
      closed = true
      client?.close()
    },
  }
  await store.batch('', [{ sql: 'SELECT 1', params: [] }])
  return store
}

/** Readers do not wait for the writer in WAL; every commit is still on the disk when it is answered (synchronous FULL). */
async function open(url: string): Promise<Client> {
  try {
    const client = createClient({ url, timeout: busyMsMax })
    await client.execute('PRAGMA journal_mode = WAL')
    return client
  } catch (error) {
    throw sqliteFault(error)
  }
}

/** How long the engine waits for another process within one call: it blocks this thread, so briefly. */
const busyMsMax = 50
