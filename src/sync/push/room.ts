import type { Change } from '../../model/change.ts'
import { judge, type RowState } from '../../model/stamp.ts'
import type { Table } from '../../model/table.ts'
import { utf8Length } from '../../model/text.ts'
import { isLong } from '../../model/value.ts'
import { rowsOf } from './coalesce.ts'

/** Rows that live in a scope and the bytes in them: how many there are, or may yet come. */
export interface Room {
  readonly rows: number
  readonly bytes: number
}

/**
 * A row as it is stored, with the bytes of each of its columns that may be long; of a tombstone
 * none count.
 */
export interface Stored extends RowState {
  readonly octets: readonly number[]
}

/** What of a change set has room. */
export interface Fit {
  /** The changes that have none, by their index, and what is lacking. */
  readonly beyond: ReadonlyMap<number, keyof Room>
  /** What is left once the others are stored. Below nothing where the scope holds more already. */
  readonly left: Room
  /** Whether the others make any row, or make one larger. */
  readonly grows: boolean
  /** Whether the scope holds as much as before. */
  readonly still: boolean
}

/** What a row takes beside its long columns, as everywhere where bytes are counted. */
const rowBytes = 64

/**
 * Finds the changes that a scope has no room for. As the writes do it: rows that vanish or shrink
 * make room first, the others take it in the order of the list. A change that makes its row no
 * larger always has room, and so has one that loses. Of several changes of a row the last state
 * counts; where that is too much, each is looked at in stamp order.
 */
export function fitChanges(
  room: Room,
  changes: readonly Change[],
  client: string,
  storedOf: (change: Change) => Stored | undefined,
): Fit {
  const rows = [...rowsOf(changes).values()].map((row) => {
    const inOrder = row.toSorted((a, b) => a.at - b.at || a.index - b.index)
    const before = row[0] && storedOf(row[0])
    const after = inOrder.reduce((state, change) => applied(state, change, client), before)
    return { inOrder, before, taken: difference(before, after) }
  })
  const isShrinking = ({ taken }: { taken: Room }) => taken.rows <= 0 && taken.bytes <= 0
  const beyond = new Map<number, keyof Room>()
  let left = room
  let [grows, still] = [false, true]
  const take = (taken: Room) => {
    left = { rows: left.rows - taken.rows, bytes: left.bytes - taken.bytes }
    grows ||= taken.rows > 0 || taken.bytes > 0
    still &&= taken.rows === 0 && taken.bytes === 0
  }
  for (const { taken } of rows.filter(isShrinking)) take(taken)
  for (const { inOrder, before, taken } of rows) {
    if (isShrinking({ taken })) continue
    if (!lacking(left, taken)) {
      take(taken)
      continue
    }
    let state = before
    for (const change of inOrder) {
      const next = applied(state, change, client)
      const some = difference(state, next)
      const lacks = lacking(left, some)
      if (lacks) {
        beyond.set(change.index, lacks)
        continue
      }
      take(some)
      state = next
    }
  }
  return { beyond, left, grows, still }
}

/** Whether a change can make a scope hold more at all. */
export function mayGrow({ op, table, values }: Change, weighs: boolean): boolean {
  if (op !== 'patch') return op === 'put'
  return weighs && table.columns.some(({ type }, place) => isLong(type) && values[place] != null)
}

function lacking(left: Room, taken: Room): keyof Room | undefined {
  if (taken.rows > 0 && taken.rows > left.rows) return 'rows'
  return taken.bytes > 0 && taken.bytes > left.bytes ? 'bytes' : undefined
}

/** The row after a change that wins; else as it was. */
function applied(state: Stored | undefined, change: Change, client: string): Stored | undefined {
  const { op, at, by = client, table, values } = change
  if (judge(state, op, { at, by }).verdict !== 'applied') return state
  if (op === 'delete') return { at, by, deleted: true, octets: [] }
  const sent = longValues(table, values)
  return {
    ...{ at, by, deleted: false },
    octets: sent.map(([type, value], place) => {
      return op === 'patch' && value === undefined ? (state?.octets[place] ?? 0) : octetsOf(type, value)
    }),
  }
}

const longValues = ({ columns }: Table, values: readonly unknown[]) =>
  columns.flatMap(({ type }, place) => (isLong(type) ? [[type, values[place]] as const] : []))

/** As many as both databases find in what they make of it. */
function octetsOf(type: Table['columns'][number]['type'], value: unknown): number {
  if (value === undefined || value === null) return 0
  if (type === 'json') return utf8Length(JSON.stringify(value))
  const text = String(value)
  return type === 'bytes' ? Math.floor((text.length * 3) / 4) : utf8Length(text)
}

function difference(before: Stored | undefined, after: Stored | undefined): Room {
  const [was, is] = [sizeOf(before), sizeOf(after)]
  return { rows: is.rows - was.rows, bytes: is.bytes - was.bytes }
}

function sizeOf(row: Stored | undefined): Room {
  if (!row || row.deleted) return { rows: 0, bytes: 0 }
  return { rows: 1, bytes: row.octets.reduce((sum, octets) => sum + octets, rowBytes) }
}
