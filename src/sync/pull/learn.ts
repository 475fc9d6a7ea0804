import type { Cursor, CursorEntry, ScopeHead } from '../../model/cursor-entry.ts'
import { limits } from '../../model/limits.ts'
import { rowBreak } from '../../model/row-text.ts'
import { isCovered, isSameKnown, type Known } from '../../model/view.ts'
import type { Page } from '../../wire/answer.ts'
import type { Call } from '../call.ts'
import { groupByPlace } from '../places.ts'
import type { Budget } from './read-scopes.ts'

/** What was handed out again. */
export interface Learned extends Page {
  /** Of the scopes that were read. */
  readonly heads: ReadonlyMap<string, ScopeHead | undefined>
}

/**
 * Rows that a client has got without some of the columns that it knows by now, since the server or
 * the app was another version then, are handed out again before anything new (RULES 2.7): those in
 * which such a column is not what it is by default. `more` where the answer is full before they are
 * through.
 */
export async function learnColumns(
  call: Call,
  scopes: readonly string[],
  cursor: Cursor,
  budget: Budget,
): Promise<Learned> {
  const entries = new Map(cursor)
  const heads = new Map<string, ScopeHead | undefined>()
  const rows: string[] = []
  const rowsBefore = budget.rows
  const isLeft = () => budget.rows > 0 && budget.bytes > 0
  const learning = scopes.filter((scope) => isLearning(cursor.get(scope), call.known))
  for (const place of await groupByPlace(call.store, learning)) {
    for (let at = 0, count = scopesFirst; at < place.length && isLeft(); ) {
      const some = place.slice(at, at + count)
      at += count
      const bytesBefore = budget.bytes
      const results = await call.batch(
        some[0] ?? '',
        some.map((scope) => planAgain(call, scope, cursor, budget)),
      )
      for (const [turn, scope] of some.entries()) {
        const entry = cursor.get(scope)
        const page = call.pages.read(scope, results[turn])
        heads.set(scope, page.head)
        if (!entry || !isLeft()) continue
        if (page.count > 0) rows.push(page.rows)
        budget.rows -= page.count
        budget.bytes -= page.rows.length
        entries.set(scope, page.more ? learnt(entry, call.known, page.last) : { ...whole(entry), known: call.known })
      }
      // Where there is little to hand out, more scopes are looked at together.
      if (bytesBefore - budget.bytes < limits.pageBytesMax / 16) count = Math.min(2 * count, scopesMost)
    }
  }
  const more = learning.some((scope) => isLearning(entries.get(scope), call.known))
  return { count: rowsBefore - budget.rows, rows: rows.join(rowBreak), cursor: entries, more, heads }
}

/** Scopes that are looked at together, at first and at the most: each may bring a whole page. */
const [scopesFirst, scopesMost] = [4, 32]

function planAgain({ sql, pages, known }: Call, scope: string, cursor: Cursor, budget: Budget) {
  const entry = cursor.get(scope)
  const from = entry?.learning && isSameKnown(entry.learning.known, known) ? entry.learning.position : 0
  const params = [scope, from, entry?.position ?? 0, 0, budget.rows]
  return { sql: pages.again(sql, entry?.known ?? known), params, reads: true } as const
}

/** Whether rows were handed out without a column that the app knows by now. */
export function isLearning(entry: CursorEntry | undefined, known: Known): boolean {
  return entry?.known !== undefined && entry.position > 0 && !isCovered(known, entry.known)
}

/** How far a client has read, with the columns that it knows now. */
export function withKnown(before: CursorEntry | undefined, next: CursorEntry, known: Known): CursorEntry {
  if (!before || !isLearning(before, known)) return { ...whole(next), known }
  const { learning } = before
  return learnt({ ...next, known: before.known }, known, isSameKnown(learning?.known, known) ? learning?.position : 0)
}

const learnt = (entry: CursorEntry, known: Known, position = 0): CursorEntry => ({
  ...entry,
  learning: { known, position },
})

const whole = ({ incarnation, position, start }: CursorEntry): CursorEntry => ({ incarnation, position, start })
