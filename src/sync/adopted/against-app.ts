import { markerIn } from '../../sql/markers.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import { conflictPause, conflictTriesMax, type Store, StoreFault } from '../../stores/store.ts'
import { type Settling, settleScopes } from './settle.ts'

/** For how long a batch is tried again while the app's own SQL is in its way. */
const patienceMsMax = 8_000

/** Of Postgres: a row, or a table, was not free in time. */
const lockTimeout = '55P03'

/** The statements say by their nonce why a batch undid itself. */
interface AgainstApp extends Settling {
  readonly sql: Pick<Sql, 'settle' | 'nonce'>
}

/**
 * Sends batches beside an app that writes the same tables, and that must never lose against them
 * (P18): a batch waits for hardly anything while it holds a scope or a row, and gives way. It is
 * tried again once nobody holds its rows, for which it waits without holding anything; then it
 * takes the rows before it settles, so that however often the app writes them the batch comes to
 * its turn. What was touched meanwhile is settled by batches of its own, since that may be more
 * than one batch settles.
 */
export function againstApp(settling: AgainstApp, random: () => number = Math.random): Store['batch'] {
  const { batch: send, sql } = settling
  const isLate = ({ message }: StoreFault) => markerIn(message, sql.nonce) === 'driftline_late'
  return async (scope, statements) => {
    const until = performance.now() + patienceMsMax
    const before = statements.filter(({ again }) => again === 'before')
    const scopes = new Set(statements.flatMap(({ settles }) => settles ?? []))
    let isBehind = false
    let conflicts = 0
    for (let tries = 1; ; tries++) {
      try {
        if (isBehind) await settleScopes(settling, scopes)
        return await sendPart(send, scope, statements, tries > 1)
      } catch (fault) {
        if (!(fault instanceof StoreFault)) throw fault
        isBehind = isLate(fault)
        const isApp = isBehind || fault.code === lockTimeout
        if (!isApp && fault.kind !== 'conflict') throw fault
        if (!isApp) conflicts++
        if (conflicts === conflictTriesMax || performance.now() > until)
          throw new StoreFault('transient', { message: fault.message, code: fault.code, cause: fault })
        await pause(random, tries)
        if (before.length > 0) await untilFree(settling, before, until)
      }
    }
  }
}

/** Without what is for further tries alone, which gives no rows then. */
async function sendPart(
  send: Store['batch'],
  scope: string,
  statements: readonly Statement[],
  isAgain: boolean,
): Promise<Cells[][]> {
  const isSent = ({ again }: Statement) => again === undefined || (again === 'within' && isAgain)
  const results = await send(scope, statements.filter(isSent))
  let at = 0
  return statements.map((statement) => (isSent(statement) ? (results[at++] ?? []) : []))
}

/**
 * Waits while one transaction holds a row. Where another has come in its place there may be no end
 * of them, and the batch is to queue up with them.
 */
async function untilFree({ batch: send, sql }: AgainstApp, before: readonly Statement[], until: number): Promise<void> {
  const impatient: Statement[] = sql.settle?.impatient ? [{ sql: sql.settle.impatient, params: [] }] : []
  let first: string | undefined
  for (let tries = 1; performance.now() < until; tries++) {
    const found = await send('', [...impatient, ...before]).catch((fault: unknown) => {
      if (fault instanceof StoreFault && fault.code === lockTimeout) return undefined
      throw fault
    })
    const holder = found === undefined ? 'of the table' : found.slice(impatient.length).flat(2).join(' ')
    first ??= holder
    if (holder === '' || holder !== first) return
    await pause(() => 1, tries)
  }
}

const pause = (random: () => number, tries: number) =>
  new Promise((resolve) => setTimeout(resolve, conflictPause(random, Math.min(tries, 4))))
