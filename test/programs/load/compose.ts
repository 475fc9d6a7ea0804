import type { Op } from '../../../src/model/stamp.ts'

/** A change as it goes over the wire. */
export interface SentChange {
  readonly table: 'todos'
  readonly op: Op
  readonly id: string
  readonly at: number
  readonly row?: object
}

/** Rows that are written again and again by every writer of a scope, and never deleted. */
export const keptRows = 200
/**
 * Rows of its own that a writer holds before it deletes the oldest for each new one: no scope grows
 * without bound.
 */
const ownRowsMax = 50

/**
 * Of ten changes: half put a row that is there, three patch one, one puts a new row and one deletes
 * one.
 */
const mix: readonly ('new' | 'delete' | 'put' | 'patch')[] = [
  ...['put', 'put', 'patch', 'new', 'put', 'patch', 'put', 'delete', 'patch', 'put'],
] as const

export interface Draft {
  readonly client: string
  readonly random: () => number
  /**
   * The ids of the writer's own rows, oldest first. Gains what is put anew, loses what is deleted.
   */
  readonly own: string[]
  /** The next stamp, always greater than the last. */
  readonly stamp: () => number
}

/**
 * The next changes of a writer. `notes` says the row's stamp, so that a value is known to be that
 * of its stamp.
 */
export function composeChanges({ client, random, own, stamp }: Draft, count: number): SentChange[] {
  return Array.from({ length: count }, (_, n): SentChange => {
    const at = stamp()
    const notes = notesOf(client, at)
    const kind = mix[n % mix.length]
    const kept = `kept-${Math.floor(random() * keptRows)}`
    if (kind === 'patch') return { table: 'todos', op: 'patch', id: kept, at, row: { done: random() < 0.5, notes } }
    const oldest = kind === 'delete' && own.length > ownRowsMax ? own.shift() : undefined
    if (oldest !== undefined) return { table: 'todos', op: 'delete', id: oldest, at }
    const id = kind === 'new' ? `${client}-${at}` : kept
    if (kind === 'new') own.push(id)
    const litres = Math.floor(random() * 100)
    const row = { title: `Buy ${litres} litres of milk`, priority: litres % 5, notes, amount: litres / 4 }
    return { table: 'todos', op: 'put', id, at, row }
  })
}

export const notesOf = (client: string, at: number) => `${client} ${at}`

/** Puts every kept row, for a scope that is empty. */
export function composeKept({ client, stamp }: Draft): SentChange[] {
  return Array.from({ length: keptRows }, (_, n): SentChange => {
    const at = stamp()
    return { table: 'todos', op: 'put', id: `kept-${n}`, at, row: { title: 'Buy milk', notes: notesOf(client, at) } }
  })
}
