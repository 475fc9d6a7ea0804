import { hasRules, isCounter, isMerged, mergeValues } from '../../model/merge.ts'
import { judge } from '../../model/stamp.ts'
import type { Schema, Table } from '../../model/table.ts'
import type { WireChange, WireRow } from '../../wire/typed.ts'
import type { Told } from '../storage/storage.ts'

/** Tables of other versions of the app have no rules here. */
export const tableOf = (schema: Schema, name: string): Table | undefined => schema.tablesByName.get(name)

/** What a row lacks reads as its default (C6). */
export function wholeRow(table: Table, row: WireRow): WireRow {
  const whole: Record<string, unknown> = { ...row }
  for (const { wire, default: preset } of table.columns) if (whole[wire] === undefined) whole[wire] = preset ?? null
  return whole
}

/**
 * The row that the server will hold if nobody else writes: what it told, with the changes that wait
 * on top, each judged by the server's own rule (C6). Undefined: none, or a deleted one.
 */
export function foldRow(
  table: Table | undefined,
  told: Told | null,
  changes: readonly WireChange[],
  by: string,
): WireRow | undefined {
  let state = told ? { at: told.at, by: told.by, deleted: told.row === undefined } : undefined
  let row = told?.row
  for (const change of changes) {
    const { op, at } = change
    const outcome = judge(state, op, { at, by })
    // Of columns that merge an older change counts too, and which of them only the server knows.
    const counts = outcome.verdict === 'applied' || (op === 'patch' && row && table && hasRules(table))
    if (!counts) continue
    row = applyChange(table, row, change)
    if (outcome.verdict === 'applied') state = { at, by, deleted: op === 'delete' }
  }
  return row
}

/** The row after one change that applies. */
export function applyChange(
  table: Table | undefined,
  row: WireRow | undefined,
  change: WireChange,
): WireRow | undefined {
  if (change.op === 'delete') return undefined
  const sent = change.row ?? {}
  if (!table) return change.op === 'put' ? sent : { ...row, ...sent }
  const next: Record<string, unknown> = { ...row }
  for (const column of table.columns) {
    const { wire, default: preset, filled, readonly } = column
    const own = row?.[wire]
    const value = sent[wire]
    const fallback = preset ?? null
    if (filled || readonly) next[wire] = own ?? null
    else if (value === undefined) next[wire] = change.op === 'patch' || isCounter(column) ? (own ?? fallback) : fallback
    else if (isCounter(column)) next[wire] = countOf(own, value)
    else if (isMerged(column)) next[wire] = mergeValues(column, own, value) ?? null
    else next[wire] = value
  }
  return next
}

/** A counter once it was edited, and what a new row begins with. */
function countOf(own: unknown, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return own ?? value
  const edit = value as { add?: number; set?: number }
  return edit.set ?? Number(own ?? 0) + (edit.add ?? 0)
}
