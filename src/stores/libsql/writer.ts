import type { Cells, Statement } from '../../sql/statement.ts'
import { sqliteFault, tooSlowCode } from '../fault.ts'
import { type Rehearsal, type Rehearsed, StoreFault } from '../store.ts'
import { type Connection, isLocked, isPoisonous, openConnection } from './connection.ts'
import type { Outcome } from './groups.ts'
import { createLoopTurns } from './loop-turns.ts'

/**
 * Writes to a file, one transaction at a time: whoever calls waits for the end of the one before.
 */
export interface FileWriter {
  /**
   * Times are by `performance.now()` of this thread: a lock of another process is waited for until
   * then.
   */
  batch(statements: readonly Statement[], until: number): Promise<Cells[][]>
  /** The same for several, each whole or not at all, and all by one commit where it goes. */
  batches(batches: readonly (readonly Statement[])[], until: number): Promise<readonly Outcome[]>
  /** Ends at that time, wherever it is. */
  rehearse(rehearsal: Rehearsal, until: number): Promise<Rehearsed>
  /** Once nothing is under way. Whoever waits for a lock gives up. */
  close(): Promise<void>
}

/**
 * How long to wait before a try for the lock: another process that writes without a pause leaves it
 * free for a moment only.
 */
const pauseMs = () => 1 + Math.random() * 4
/** Whoever writes without a pause leaves the lock free for so long, so often, in milliseconds. */
const manners = { everyMs: 100, freeMs: 2 }

/** Takes turns with other files in the same thread, between two statements. */
const turns = createLoopTurns()

export function createFileWriter(path: string): FileWriter {
  let connection: Connection | undefined
  let closed = false
  let current: Promise<unknown> = Promise.resolve()
  /** When the lock was let go, and since when there was no pause. */
  let [endedAt, busySince] = [0, 0]

  async function withLock<Result>(until: number, work: (to: Connection) => Promise<Result>): Promise<Result> {
    await leaveFree()
    for (;;) {
      if (closed) throw new StoreFault('transient', { message: 'the store is closed' })
      try {
        connection ??= openConnection(path)
        connection.command('BEGIN IMMEDIATE')
        break
      } catch (error) {
        const fault = sqliteFault(error)
        if (!isLocked(fault)) throw await discard(fault)
        if (performance.now() > until) throw fault
        await sleep(pauseMs())
      }
    }
    try {
      return await work(connection)
    } catch (error) {
      throw await discard(sqliteFault(error))
    } finally {
      endedAt = performance.now()
    }
  }

  async function leaveFree(): Promise<void> {
    const now = performance.now()
    if (now - endedAt > manners.freeMs) busySince = now
    if (now - busySince < manners.everyMs) return
    await sleep(manners.freeMs)
    busySince = performance.now()
  }

  /** Undoes what is open, and throws the connection away where it cannot be trusted any more. */
  async function discard(fault: StoreFault): Promise<StoreFault> {
    const used = connection
    try {
      if (used?.inTransaction) used.command('ROLLBACK')
      if (!isPoisonous(fault)) return fault
    } catch {}
    connection = undefined
    await used?.close()
    return fault
  }

  function tracked<Result>(work: Promise<Result>): Promise<Result> {
    current = work.catch(() => {})
    return work
  }

  const runAlone = (statements: readonly Statement[], until: number) =>
    withLock(until, (to) => runBatch(to, statements))

  async function runTogether(batches: readonly (readonly Statement[])[], until: number): Promise<readonly Outcome[]> {
    const outcomes = await withLock(until, (to) => runGroup(to, batches)).catch((fault: StoreFault) => {
      // The whole was undone for what one of them did, and each is still to have its own outcome.
      if (fault instanceof NotTogether || fault.kind === 'refused') return undefined
      return batches.map(() => fault)
    })
    if (outcomes) return outcomes
    const apart: Outcome[] = []
    for (const statements of batches) apart.push(await runAlone(statements, until).catch((fault: StoreFault) => fault))
    return apart
  }

  return {
    batch: (statements, until) => tracked(runAlone(statements, until)),
    batches: (batches, until) => tracked(runTogether(batches, until)),
    rehearse: (rehearsal, until) => tracked(withLock(until, (to) => tryGroups(to, rehearsal, until))),
    async close() {
      closed = true
      await current
      await connection?.close()
      connection = undefined
    },
  }
}

async function runBatch(to: Connection, statements: readonly Statement[]): Promise<Cells[][]> {
  const results: Cells[][] = []
  for (const statement of statements) {
    await turns.ready()
    results.push(turns.run(() => to.execute(statement)))
  }
  to.command('COMMIT')
  return results
}

/** A statement of a batch did more than fail. */
class NotTogether extends StoreFault {}

/** Each behind a savepoint of its own, so that one which fails is undone alone. */
async function runGroup(to: Connection, batches: readonly (readonly Statement[])[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = []
  for (const statements of batches) {
    try {
      to.execute(savepoint)
      const results: Cells[][] = []
      for (const statement of statements) {
        await turns.ready()
        results.push(turns.run(() => to.execute(statement)))
      }
      to.execute(release)
      outcomes.push(results)
    } catch (error) {
      const fault = sqliteFault(error)
      if (!to.inTransaction || isPoisonous(fault)) throw new NotTogether(fault.kind, fault)
      to.execute(undo)
      to.execute(release)
      outcomes.push(fault)
    }
  }
  to.command('COMMIT')
  return outcomes
}

const [savepoint, release, undo] = ['SAVEPOINT rehearsed', 'RELEASE rehearsed', 'ROLLBACK TO rehearsed'].map(
  (sql): Statement => ({ sql, params: [] }),
) as [Statement, Statement, Statement]

async function tryGroups(to: Connection, { opening, groups, closing }: Rehearsal, until: number): Promise<Rehearsed> {
  const all = (statements: readonly Statement[]) => statements.map((statement) => to.execute(statement))
  function tryGroup(group: readonly Statement[]): StoreFault | undefined {
    to.execute(savepoint)
    try {
      all(group)
      to.execute(release)
      return undefined
    } catch (error) {
      const fault = sqliteFault(error)
      if (fault.kind === 'transient') throw fault
      if (to.inTransaction) all([undo, release])
      return fault
    }
  }
  turns.run(() => all(opening))
  const faults: (StoreFault | undefined)[] = []
  const passed: (readonly Statement[])[] = []
  for (const group of groups) {
    const fault = await inTime(until, () => tryGroup(group))
    faults.push(fault)
    if (!fault) passed.push(group)
    if (to.inTransaction) continue
    // The trigger or constraint says ROLLBACK, which undoes the groups before it too.
    to.command('BEGIN IMMEDIATE')
    for (const again of [opening, ...passed]) await inTime(until, () => all(again))
  }
  const rows = turns.run(() => all(closing))
  to.command('ROLLBACK')
  return { faults, closing: rows }
}

async function inTime<Result>(until: number, work: () => Result): Promise<Result> {
  await turns.ready()
  if (performance.now() > until)
    throw new StoreFault('transient', { message: 'the rehearsal took too long', code: tooSlowCode })
  return turns.run(work)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
