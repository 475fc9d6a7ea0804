import type { Cells, Statement } from '../../sql/statement.ts'
import { sqliteFault } from '../fault.ts'
import { checkNumbers, notTried, type Store, type StoreFault } from '../store.ts'
import type { Condition, Ends, Step } from './pipeline.ts'

/**
 * A rehearsal in one request: steps that run or not by how those before them ended. A group's
 * savepoint is rolled back where its last statement did not come to its end.
 */
export function rehearseOverHttp(send: (steps: readonly Step[]) => Promise<Ends>): NonNullable<Store['rehearse']> {
  return async (_scope, { opening, groups, closing }) => {
    checkNumbers([...opening, ...groups.flat(), ...closing])
    const steps: Step[] = []
    const add = (condition: Condition | undefined, statement: Pick<Statement, 'sql' | 'params'>) =>
      steps.push({ statement, ...(condition && { condition }) }) - 1
    const say = (condition: Condition | undefined, sql: string) => add(condition, { sql, params: [] })
    /**
     * The steps run one after the other, as long as none fails. `end` holds where the last one did
     * not.
     */
    const inTurn = (after: Condition, statements: readonly Statement[]) => {
      let end = after
      const places = statements.map((statement) => {
        const place = add(end, statement)
        end = ok(place)
        return place
      })
      return { end, places }
    }

    const begin = say(undefined, 'BEGIN IMMEDIATE')
    const opened = inTurn(ok(begin), opening)
    // What passed stands before the savepoint. A statement that fails may have kept a part of what
    // it wrote, where a trigger says FAIL. One that ends the whole transaction ends the savepoint
    // with it, and what follows would then be kept: so a group runs only where the savepoint was
    // there after the one before.
    let alive = ok(say(opened.end, 'SAVEPOINT driftline_tried'))
    const tried = groups.map((group) => {
      const { end, places } = inTurn(alive, group)
      const undone = say({ type: 'and', conds: [alive, { type: 'not', cond: end }] }, 'ROLLBACK TO driftline_tried')
      const released = say(end, 'RELEASE driftline_tried')
      const next = say(ok(released), 'SAVEPOINT driftline_tried')
      alive = { type: 'or', conds: [ok(undone), ok(next)] }
      return places
    })
    const closed = closing.map((statement) => add(alive, statement))
    say(ok(begin), 'ROLLBACK')
    try {
      const { rows, errors } = await send(steps)
      for (const place of [begin, ...opened.places, ...closed]) if (errors[place]) throw errors[place]
      return {
        faults: tried.map((places) => faultOf(places, { rows, errors })),
        // None behind a trigger that ended the transaction.
        closing: closed.map((place): readonly Cells[] => rows[place] ?? []),
      }
    } catch (error) {
      throw sqliteFault(error)
    }
  }
}

const ok = (step: number): Condition => ({ type: 'ok', step })

/** Why a group was undone. What is no fault of its rows ends the rehearsal. */
function faultOf(places: readonly number[], { rows, errors }: Ends): StoreFault | undefined {
  const error = places.map((place) => errors[place]).find((one) => one !== undefined)
  if (!error) return places.some((place) => rows[place] === undefined) ? notTried() : undefined
  const fault = sqliteFault(error)
  if (fault.kind === 'transient') throw fault
  return fault
}
