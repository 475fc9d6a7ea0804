import { BatchCond, openHttp, type Sql } from '@libsql/hrana-client'
import type { Cells, Statement } from '../../sql/statement.ts'
import { sqliteFault } from '../fault.ts'
import { checkNumbers, notTried, type Store, type StoreFault } from '../store.ts'

/** Where a libSQL server is. */
export interface LibsqlServer {
  readonly url: string
  readonly authToken?: string | undefined
  readonly fetch: typeof fetch
}

/**
 * A rehearsal in one request: a batch whose steps run or not by how those before them ended, which
 * the client's own `batch` has no words for. A group's savepoint is rolled back where its last
 * statement did not come to its end.
 */
export function rehearseOverHttp({ url, authToken, fetch }: LibsqlServer): NonNullable<Store['rehearse']> {
  return async (_scope, { opening, groups, closing }) => {
    checkNumbers([...opening, ...groups.flat(), ...closing])
    const client = openHttp(url.replace(/^libsql:/, 'https:'), authToken, fetch)
    const stream = client.openStream()
    const batch = stream.batch(false)
    const texts = new Map<string, Sql>()
    const textOf = (sql: string): Sql => {
      const stored = texts.get(sql) ?? stream.storeSql(sql)
      texts.set(sql, stored)
      return stored
    }
    const add = (condition: BatchCond | undefined, { sql, params }: Statement) => {
      const step = condition ? batch.step().condition(condition) : batch.step()
      const end = step.query([textOf(sql), params.map((value) => (typeof value === 'number' ? BigInt(value) : value))])
      // Each is looked at once all have ended.
      end.catch(() => {})
      return { step, end }
    }
    const say = (condition: BatchCond | undefined, sql: string) => add(condition, { sql, params: [] })
    /**
     * The steps run one after the other, as long as none fails. `end` holds where the last one did
     * not.
     */
    const inTurn = (after: BatchCond, statements: readonly Statement[]) => {
      let end = after
      const steps = statements.map((statement) => {
        const added = add(end, statement)
        end = BatchCond.ok(added.step)
        return added.end
      })
      return { end, steps }
    }

    const begin = say(undefined, 'BEGIN IMMEDIATE')
    const opened = inTurn(BatchCond.ok(begin.step), opening)
    // What passed stands before the savepoint. A statement that fails may have kept a part of what
    // it wrote, where a trigger says FAIL. One that ends the whole transaction ends the savepoint
    // with it, and what follows would then be kept: so a group runs only where the savepoint was
    // there after the one before.
    let alive = BatchCond.ok(say(opened.end, 'SAVEPOINT driftline_tried').step)
    const tried = groups.map((group) => {
      const { end, steps } = inTurn(alive, group)
      const undone = say(BatchCond.and(batch, [alive, BatchCond.not(end)]), 'ROLLBACK TO driftline_tried')
      const released = say(end, 'RELEASE driftline_tried')
      const next = say(BatchCond.ok(released.step), 'SAVEPOINT driftline_tried')
      alive = BatchCond.or(batch, [BatchCond.ok(undone.step), BatchCond.ok(next.step)])
      return steps
    })
    const closed = closing.map((statement) => add(alive, statement).end)
    say(BatchCond.ok(begin.step), 'ROLLBACK')
    try {
      const executed = batch.execute()
      // In the same request.
      stream.closeGracefully()
      await executed
      await Promise.all([begin.end, ...opened.steps])
      const rows = await Promise.all(closed)
      return {
        faults: await Promise.all(tried.map(faultOf)),
        closing: rows.map((one) => cellsOf(one)),
      }
    } catch (error) {
      throw sqliteFault(error)
    } finally {
      client.close()
    }
  }
}

/** Why a group was undone. What is no fault of its rows ends the rehearsal. */
async function faultOf(steps: readonly Promise<unknown>[]): Promise<StoreFault | undefined> {
  try {
    const ends = await Promise.all(steps)
    return ends.includes(undefined) ? notTried() : undefined
  } catch (error) {
    const fault = sqliteFault(error)
    if (fault.kind === 'transient') throw fault
    return fault
  }
}

function cellsOf(result: unknown): Cells[] {
  // Behind a trigger that ended the transaction.
  if (result === undefined) return []
  const { rows } = result as { readonly rows: readonly ArrayLike<Cells[number]>[] }
  return rows.map((row) => Array.from(row))
}
