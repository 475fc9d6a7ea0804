import type { Change } from '../../../model/change.ts'
import type { Rejection } from '../../../model/errors.ts'
import {
  addExpired,
  judge,
  type Outcome,
  opOn,
  type RowState,
  refusal,
  rejectedChanged,
  rejectedTaken,
  rowMissing,
} from '../../../model/stamp.ts'
import type { Table } from '../../../model/table.ts'
import type { RowWrite } from '../row-write.ts'

/**
 * A webhook that takes effect once: its id goes into the inbox in the transaction of its rows
 * (P14).
 */
export interface InboxEntry {
  readonly id: string
  /** Changes that were rejected already, by their places in the change set. */
  readonly errors: Readonly<Record<number, Rejection>>
}

/** What the inbox keeps beside the letters. */
export interface InboxDetails extends Pick<InboxEntry, 'errors'> {
  /** Which changes the letters stand for, by their places in the change set. */
  readonly places: readonly number[]
}

/**
 * The verdict of a change as one letter, so that a webhook's outcome is one short text: inserted,
 * updated, deleted, duplicate, stale, row missing, what a trigger swallowed, a row that changed, a
 * key that is taken, and an add that is too old.
 */
const outcomes: Readonly<Record<string, Outcome>> = {
  i: { verdict: 'applied', action: 'inserted' },
  u: { verdict: 'applied', action: 'updated' },
  d: { verdict: 'applied', action: 'deleted' },
  '=': { verdict: 'duplicate' },
  s: { verdict: 'stale' },
  m: { verdict: 'rejected', error: rowMissing },
  x: { verdict: 'rejected', error: refusal },
  c: rejectedChanged,
  k: rejectedTaken,
  e: { verdict: 'rejected', error: addExpired },
}

export function letterToOutcome(letter: string): Outcome {
  const outcome = outcomes[letter]
  if (!outcome) throw new TypeError(`The inbox holds an outcome ${JSON.stringify(letter)}, which is none`)
  return outcome
}

export function outcomeToLetter(outcome: Outcome): string {
  if (outcome.verdict === 'applied') return outcome.action.charAt(0)
  if (outcome.verdict !== 'rejected') return outcome.verdict === 'duplicate' ? '=' : 's'
  return lettersOfErrors.get(outcome.error) ?? 'x'
}

const lettersOfErrors = new Map(
  Object.entries(outcomes).flatMap(([letter, outcome]) =>
    outcome.verdict === 'rejected' ? [[outcome.error, letter] as const] : [],
  ),
)

/**
 * What the database needs to know of a change to tell its verdict from the row's state before the
 * change set.
 */
export interface Forecast {
  readonly id: string
  readonly index: number
  readonly at: number
  /** The stamp of the last put or delete of the row before this change in the change set. */
  readonly baseAt: number | null
  /**
   * Five letters: the verdict where the stored stamp lies below `baseAt`; where there is no row; a
   * tombstone of a lower stamp; a living row of a lower stamp; a tombstone of this very stamp. Of a
   * living row of this very stamp it is a duplicate, and of any greater stamp stale.
   */
  readonly letters: string
}

/**
 * Forecasts by table. With them the statement that claims a webhook's id also finds the verdicts,
 * before the writes and under the same lock: they are kept in the transaction, and a retry gets
 * them as they were, whatever came since.
 */
export function forecast(passes: readonly (readonly RowWrite[])[]): ReadonlyMap<Table, readonly Forecast[]> {
  const rows = new Map<string, { table: Table; changes: Change[] }>()
  const byTable = new Map<Table, Forecast[]>()
  const add = (table: Table, forecasts: readonly Forecast[]) => {
    const list = byTable.get(table)
    if (list) list.push(...forecasts)
    else byTable.set(table, [...forecasts])
  }
  for (const { table, id, alone, changes } of passes.flat()) {
    if (alone) {
      add(table, forecastRow(changes))
      continue
    }
    const key = `${table.name}\n${id}`
    const row = rows.get(key)
    if (row) row.changes.push(...changes)
    else rows.set(key, { table, changes: [...changes] })
  }
  for (const { table, changes } of rows.values()) add(table, forecastRow(changes))
  for (const list of byTable.values()) list.sort((a, b) => a.index - b.index)
  return byTable
}

/** Lower than any stamp. */
const dead: RowState = { at: -1, by: '', deleted: true }
const living: RowState = { at: -1, by: '', deleted: false }

/**
 * Goes through the changes of one row, in the order of their stamps, once for each kind of state
 * that can be stored. Only the last put or delete before a change matters where the stored stamp is
 * lower than that; where it is not, the changes before it did not apply, but for those of the very
 * same stamp.
 */
function forecastRow(changes: readonly Change[]): Forecast[] {
  let none: RowState | undefined
  let below: RowState = living
  let onDead: RowState = dead
  let onLiving: RowState = living
  let baseAt: number | null = null
  let afterPatch = false
  let decided = false
  return changes.map((change, place) => {
    const { id, index, at, op } = change
    if (changes[place - 1]?.at !== at) {
      onDead = dead
      onLiving = living
      afterPatch = false
      decided = false
    }
    const stamp = { at, by: '' }
    const step = (state: RowState | undefined): [string, RowState | undefined] => {
      const outcome = judge(state, opOn(state, change), stamp)
      return [outcomeToLetter(outcome), outcome.verdict === 'applied' ? { ...stamp, deleted: op === 'delete' } : state]
    }
    const steps = [step(below), step(none), step(onDead), step(onLiving)] as const
    const one = {
      id,
      index,
      at,
      baseAt,
      letters: `${steps.map(([letter]) => letter).join('')}${op === 'patch' ? 's' : '='}`,
    }
    below = steps[0][1] ?? below
    none = steps[1][1]
    onDead = steps[2][1] ?? onDead
    onLiving = steps[3][1] ?? onLiving
    if (op === 'patch') {
      afterPatch = true
    } else if (!decided) {
      // Only the first of one stamp can apply. Behind a patch of its stamp a put leaves a living
      // row in any case; a delete applies where the patch found no row, and so leaves alive what
      // was.
      decided = true
      if (!afterPatch || op === 'put') {
        baseAt = at
        below = { at, by: '', deleted: op === 'delete' }
      }
    }
    return one
  })
}
