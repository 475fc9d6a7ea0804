import type { ScopeHead } from '../model/cursor-entry.ts'
import type { Cells } from './statement.ts'

/** What one scope's page statement gave. */
export interface ScopePage {
  /** Undefined: the scope was never written. */
  readonly head: ScopeHead | undefined
  readonly count: number
  /** Position of the last row, where there is one. */
  readonly last: number
  /** The changes as JSON text, a line each. */
  readonly rows: string
  readonly more: boolean
  /** The scope holds rows so large that the next page should look at their sizes. */
  readonly large: boolean
}

/** Of a scope that was never written. */
export const emptyPage: ScopePage = { head: undefined, count: 0, last: 0, rows: '', more: false, large: false }

/**
 * Reads incarnation, position and watermark, the first three columns of a lock or page statement.
 */
export function parseHead([row]: readonly Cells[]): ScopeHead | undefined {
  if (!row) return undefined
  const [incarnation, position, watermark] = row
  return { incarnation: String(incarnation), position: Number(position), watermark: Number(watermark) }
}
