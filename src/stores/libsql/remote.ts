import nodeModule from 'node:module'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Cells, Statement } from '../../sql/statement.ts'
import { type Rehearsal, type Rehearsed, StoreFault } from '../store.ts'
import type { Outcome } from './groups.ts'
import type { FaultData, Order, OutcomeData, RehearsedData, Report, Work } from './thread.ts'

/** A file's writer in the thread that all files of this process share. */
export interface RemoteWriter {
  /** `msMax`: how long another process's lock may be waited for. */
  batch(statements: readonly Statement[], msMax: number): Promise<Cells[][]>
  /** Several, which are committed together. */
  batches(batches: readonly (readonly Statement[])[], msMax: number): Promise<readonly Outcome[]>
  rehearse(rehearsal: Rehearsal, msMax: number): Promise<Rehearsed>
  close(): Promise<void>
}

let writers = 0

export function openRemoteWriter(path: string): RemoteWriter {
  const writer = ++writers
  const ask = (work: Work) => {
    thread ??= startThread()
    return thread.ask({ writer, path, ...work })
  }
  return {
    async batch(statements, msMax) {
      return (await ask({ kind: 'batch', statements: plain(statements), msMax })) as Cells[][]
    },
    async batches(batches, msMax) {
      const outcomes = (await ask({ kind: 'batches', batches: batches.map(plain), msMax })) as OutcomeData[]
      return outcomes.map((one) => ('fault' in one ? toFault(one.fault) : one.rows))
    },
    async rehearse({ opening, groups, closing }, msMax) {
      // Thousands of groups have a few texts between them: each is sent once.
      const places = new Map<string, number>()
      const placeOf = (sql: string) => {
        const place = places.get(sql) ?? places.size
        places.set(sql, place)
        return place
      }
      const packed = groups.map((group) => group.map(({ sql, params }) => ({ place: placeOf(sql), params })))
      const rehearsal = { opening: plain(opening), closing: plain(closing), packed, texts: [...places.keys()] }
      const answer = (await ask({ kind: 'rehearse', rehearsal, msMax })) as RehearsedData
      return { faults: answer.faults.map((fault) => fault && toFault(fault)), closing: answer.closing }
    },
    async close() {
      await ask({ kind: 'close' })
    },
  }
}

/**
 * Nothing but these members: what a caller keeps beside them may hold functions, which no thread
 * can be sent.
 */
function plain(statements: readonly Statement[]): Statement[] {
  return statements.map(({ sql, params }) => ({ sql, params }))
}

const toFault = (fault: FaultData) => new StoreFault(fault.kind, fault)

interface Thread {
  ask(order: Omit<Order, 'number'>): Promise<unknown>
}

let thread: Thread | undefined

interface Asked {
  readonly resolve: (result: unknown) => void
  readonly reject: (fault: StoreFault) => void
}

/** It lives as long as the process, which does not stay for its sake once nothing is under way. */
function startThread(): Thread {
  // Compiled, both files end in .js. Flags and preloads of this process are not the thread's, but
  // what it has compiled is: half the time and 20 MB less.
  const file = new URL(`./thread${extname(import.meta.url)}`, import.meta.url)
  // Not by name: Node 20 has no such export.
  const cache = nodeModule.getCompileCacheDir?.()
  const env = { ...process.env, ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) }
  const worker = new Worker(file, { execArgv: [], env, name: 'driftline-libsql' })
  const asked = new Map<number, Asked>()
  let numbers = 0

  worker.on('message', ({ number, result, fault }: Report) => {
    const one = asked.get(number)
    asked.delete(number)
    if (asked.size === 0) worker.unref()
    if (fault) one?.reject(toFault(fault))
    else one?.resolve(result)
  })
  /**
   * Out of memory, say. What it had begun may have been committed (P5); the next order starts
   * another.
   */
  const lose = (cause: unknown) => {
    if (thread === own) thread = undefined
    for (const { reject } of asked.values())
      reject(new StoreFault('transient', { message: 'the thread of the database ended', code: 'THREAD_LOST', cause }))
    asked.clear()
  }
  worker.on('error', lose)
  worker.on('exit', lose)
  worker.unref()
  const own: Thread = {
    ask(order) {
      const number = ++numbers
      if (asked.size === 0) worker.ref()
      return new Promise((resolve, reject) => {
        asked.set(number, { resolve, reject })
        worker.postMessage({ ...order, number })
      })
    },
  }
  return own
}
