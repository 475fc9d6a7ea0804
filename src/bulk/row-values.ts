import { isCounter } from '../model/merge.ts'
import type { Table } from '../model/table.ts'

/** An integer is as good an id as its digits, which most databases count up. */
export function idToText(value: unknown): unknown {
  return Number.isSafeInteger(value) ? String(value) : value
}

/** SQLite and MySQL have 1 and 0 for true and false. */
export function toBoolean(value: unknown): unknown {
  return value === 1 ? true : value === 0 ? false : value
}

/**
 * A row of another system says what a counter is, and not what is added to it: a number is a set.
 */
export function setCounters(counters: readonly string[], row: Record<string, unknown>): Record<string, unknown> {
  for (const name of counters) if (typeof row[name] === 'number') row[name] = { set: row[name] }
  return row
}

export const countersOf = ({ columns }: Pick<Table, 'columns'>): readonly string[] =>
  columns.filter(isCounter).map(({ name }) => name)
