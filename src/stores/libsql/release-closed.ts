import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * How many closed connections may wait for the garbage collector. Each holds its files, three
 * descriptors.
 */
const waitingMax = 100

let waiting = 0
let collecting: Promise<void> | undefined

/**
 * To be called for each libSQL connection that was closed. libsql 0.5 keeps it open until its
 * statements are collected (tursodatabase/libsql-js#230, mended in main and not yet released), and
 * the collector, who sees a few bytes of JavaScript, is in no hurry: a server that goes through
 * many files would run out of descriptors. So it is asked, once for many, which costs about 10 ms.
 * Whoever closes another meanwhile waits until the files are closed.
 */
export async function releaseClosed(): Promise<void> {
  if (++waiting >= waitingMax) collecting ??= collect()
  await collecting
}

/**
 * Between two turns of the event loop: in the first nobody's hands are on a statement, in the
 * second they are released.
 */
async function collect(): Promise<void> {
  await setImmediate()
  waiting = 0
  collectGarbage()
  await setImmediate()
  collecting = undefined
}

/**
 * Collects at once; as a `last-resort` it also gives the memory back, which takes longer. `gc`
 * without --expose-gc on the command line: the flag holds for contexts made after it.
 */
export function collectGarbage(flavor: 'regular' | 'last-resort' = 'regular'): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: object) => void
  gc({ type: 'major', execution: 'sync', flavor })
}
