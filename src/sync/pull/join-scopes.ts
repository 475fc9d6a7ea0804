import type { Cursor } from '../../model/cursor-entry.ts'
import { Problem } from '../../model/errors.ts'
import type { Principal } from '../../model/principal.ts'
import { rowBreak } from '../../model/row-text.ts'
import type { Known } from '../../model/view.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { Page } from '../../wire/answer.ts'
import type { PullRequest } from '../../wire/request.ts'
import { joinPages } from './join-pages.ts'

export function checkScopes({ scopes }: Principal): void {
  if (scopes.size === 0) throw new Problem('no_scope', 'The token grants no scope to read or write.')
}

/** One page of all scopes that the principal may read, in its order. */
export function joinScopes(
  { scopes }: Principal,
  { cursor, limit }: PullRequest,
  pages: ReadonlyMap<string, ScopePage | undefined>,
  known: Known,
): Page {
  const parts = [...scopes.keys()].map((scope) => ({ scope, entry: cursor?.get(scope), page: pages.get(scope) }))
  return joinPages(parts, limit, known)
}

/** The rows of two pages, of which the second goes on behind the first. */
export function joinRows(first: Page, second: Page): Page {
  if (first.count === 0) return second
  const rows = second.count === 0 ? first.rows : first.rows + rowBreak + second.rows
  return { ...second, count: first.count + second.count, rows }
}

/** Scopes of the cursor that the principal no longer has. */
export function removedScopes(cursor: Cursor | null | undefined, { scopes }: Principal): string[] {
  return [...(cursor?.keys() ?? [])].filter((scope) => !scopes.has(scope))
}
