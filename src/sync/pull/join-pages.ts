import type { CursorEntry, ScopeHead } from '../../model/cursor-entry.ts'
import { rowBreak } from '../../model/row-text.ts'
import type { Known } from '../../model/view.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { Page } from '../../wire/answer.ts'
import { withKnown } from './learn.ts'

/**
 * Lays the pages of several scopes together, in order, up to `limit` rows. A scope that does not
 * fit is cut, or waits with its cursor where it was, so the cursor is never beyond what was handed
 * out (P3) and never before what came in (P4). There is more where rows of before were handed out
 * without columns that the app knows now.
 */
export function joinPages(
  scopes: readonly { scope: string; entry: CursorEntry | undefined; page: ScopePage | undefined }[],
  limit: number,
  known: Known,
): Page {
  const cursor = new Map<string, CursorEntry>()
  const rows: string[] = []
  let more = false
  let left = limit
  for (const { scope, entry, page } of scopes) {
    const part = page && left > 0 ? cutPage(page, left) : undefined
    if (!part || (part.count === 0 && part.more)) {
      more = true
      cursor.set(scope, entry ?? { ...begin(page?.head), known })
      continue
    }
    left -= part.count
    if (part.count > 0) rows.push(part.rows)
    const next = withKnown(entry, advance(entry, part), known)
    more ||= part.more || next.learning !== undefined
    cursor.set(scope, next)
  }
  return { count: limit - left, rows: rows.join(rowBreak), cursor, more }
}

/**
 * Before the first row of a scope that has to wait. Its bootstrap has begun all the same: a verdict
 * of this very answer may have given a row of it, whose tombstone would otherwise be older than the
 * bootstrap and never come (P8).
 */
function begin(head: ScopeHead | undefined): CursorEntry {
  return head ? { incarnation: head.incarnation, position: 0, start: head.position } : emptyEntry
}

const emptyEntry: CursorEntry = { incarnation: null, position: 0, start: 0 }

/**
 * Past the last row, or past everything, this request's own rows included, where nothing was left
 * behind.
 */
function advance(entry: CursorEntry | undefined, { head, last, more }: ScopePage): CursorEntry {
  if (!head) return entry ?? emptyEntry
  const position = more ? last : head.position
  const start = entry ? entry.start : head.position
  return { incarnation: head.incarnation, position, start: start > position ? start : 0 }
}

/** The first rows of a page. */
function cutPage(page: ScopePage, left: number): ScopePage {
  if (page.count <= left) return page
  const kept = page.rows.split(rowBreak, left)
  const { position } = JSON.parse(kept.at(-1) ?? '{}') as { position?: number }
  return { ...page, count: kept.length, last: position ?? 0, rows: kept.join(rowBreak), more: true }
}
