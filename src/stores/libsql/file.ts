import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { limits } from '../../model/limits.ts'
import { sqlite } from '../../sql/sqlite/dialect.ts'
import type { Statement } from '../../sql/statement.ts'
import { type BatchOptions, checkNumbers, onePlace, readsOnly, type Store, StoreFault } from '../store.ts'
import { filePath } from './file-path.ts'
import { fileRowsAtOnceMax } from './file-url.ts'
import { createGroups } from './groups.ts'
import { createFileReader } from './reader.ts'
import { openRemoteWriter, type RemoteWriter } from './remote.ts'
import { createWriteQueue } from './write-queue.ts'
import { createFileWriter } from './writer.ts'

export interface FileOptions extends BatchOptions {
  /**
   * Writes in this thread, for which nobody else waits: while a server starts, say, which so needs
   * no second thread, nor its memory.
   */
  readonly inThisThread?: boolean | undefined
}

/**
 * A local libSQL file, for Node: `file:data/app.db`. Reads are answered in this thread, at once, by
 * a connection of their own; writes go to a thread that all files share, those that wait together
 * by one commit, and never keep a read or a timer waiting. Locks of another process are waited for
 * up to the deadline.
 */
export async function libsqlFileStore(
  url: string,
  { batchMsMax = limits.databaseMsMax, inThisThread = false }: FileOptions = {},
): Promise<Store> {
  if (url.includes(':memory:'))
    throw new TypeError('Give a file: a database in memory is lost with its first busy moment')
  const path = filePath(url)
  mkdirSync(dirname(path), { recursive: true })
  const reader = createFileReader(path)
  const queue = createWriteQueue(batchMsMax)
  let writer: RemoteWriter | undefined
  let closed = false

  /** Where the time of waiting is over, one try is left. */
  async function inTurn<Result>(write: (to: RemoteWriter, msMax: number) => Promise<Result>) {
    const { until, end } = await queue.take()
    try {
      // Nothing may reach the thread behind the order to close.
      if (closed) throw new StoreFault('transient', { message: 'the store is closed' })
      writer ??= inThisThread ? openWriterHere(path) : openRemoteWriter(path)
      return await write(writer, Math.max(0, until - performance.now()))
    } finally {
      end()
    }
  }

  const groups = createGroups((batches) =>
    inTurn(async (to, msMax) => {
      const all = batches()
      const [only] = all
      return all.length === 1 && only ? [await to.batch(only, msMax)] : to.batches(all, msMax)
    }),
  )

  const store: Store = {
    dialect: sqlite,
    placeOf: onePlace,
    rowsAtOnceMax: fileRowsAtOnceMax,
    async batch(_scope, statements: readonly Statement[]) {
      checkNumbers(statements)
      return readsOnly(statements) ? reader.read(statements, performance.now() + batchMsMax) : groups.add(statements)
    },
    async rehearse(_scope, rehearsal) {
      checkNumbers([...rehearsal.opening, ...rehearsal.groups.flat(), ...rehearsal.closing])
      groups.end()
      return inTurn((to, msMax) => to.rehearse(rehearsal, msMax))
    },
    async close() {
      closed = true
      queue.close()
      await Promise.all([writer?.close(), reader.close()])
    },
  }
  await store.batch('', [{ sql: 'SELECT 1', params: [], reads: true }])
  return store
}

function openWriterHere(path: string): RemoteWriter {
  const { batch, batches, rehearse, close } = createFileWriter(path)
  const until = (msMax: number) => performance.now() + msMax
  return {
    batch: (statements, msMax) => batch(statements, until(msMax)),
    batches: (all, msMax) => batches(all, until(msMax)),
    rehearse: (rehearsal, msMax) => rehearse(rehearsal, until(msMax)),
    close,
  }
}
