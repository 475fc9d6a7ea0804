import type { CursorEntry, ScopeHead } from '../model/cursor-entry.ts'
import { emptyPage, type ScopePage } from './scope-page.ts'

/** A scope of which a page is asked for together with others of its database. */
export interface AskedPage {
  readonly scope: string
  /** Its place among those that are asked for. */
  readonly place: number
  /** How far it was read. Undefined: it bootstraps. */
  readonly entry: CursorEntry | undefined
  /** Positions that the same transaction took, whose rows are left out. */
  readonly n: number
}

export interface PagesBound {
  /** Of all rows that are read. */
  readonly bytesMax: number
  readonly bootstraps: boolean
}

/** What was found of a scope that is not where its cursor is. */
export interface FoundPage {
  /** Undefined: it is gone. */
  readonly head: ScopeHead | undefined
  /** The position up to which it was read. Undefined: there was nothing to read. */
  readonly cut: number | undefined
  readonly count: number
  /** Position of the last row, where there is one. */
  readonly last: number
  readonly rows: string
}

/** Lays what was found, by its place, beside what was asked for. */
export function toPages(asked: readonly AskedPage[], found: ReadonlyMap<number, FoundPage>): readonly ScopePage[] {
  return asked.map((one) => {
    const page = found.get(one.place)
    if (!page) return standingPage(one)
    const { head, cut, count, last, rows } = page
    const more = head !== undefined && cut !== undefined && cut < head.position - one.n
    return { head, count, last, rows, more, large: false }
  })
}

/** Nothing came of it: it is where its cursor is, or was never written. */
function standingPage({ entry }: AskedPage): ScopePage {
  if (!entry || entry.incarnation === null) return emptyPage
  return { ...emptyPage, head: { incarnation: entry.incarnation, position: entry.position, watermark: 0 } }
}
