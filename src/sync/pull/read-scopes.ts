import type { Cursor, ScopeHead } from '../../model/cursor-entry.ts'
import { limits } from '../../model/limits.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { Call } from '../call.ts'
import { inTurns } from '../in-turns.ts'

/** A page of each scope, of which `joinPages` makes one of `limit` rows. */
export async function readScopes(
  { pages, batch }: Call,
  scopes: readonly string[],
  cursor: Cursor | null,
  limit: number,
): Promise<ReadonlyMap<string, ScopePage>> {
  let [rowsLeft, textLeft] = [limit, limits.pageBytesMax]
  const read = await inTurns(scopes, async (scope) => {
    // Once the answer is full, the rest is asked for little more than its heads.
    const range = pages.rangeOf(scope, cursor, rowsLeft > 0 && textLeft > 0 ? limit : 1)
    const page = await pages.fetch(batch, scope, range)
    rowsLeft -= page.count
    textLeft -= page.rows.length
    return [scope, page] as const
  })
  return new Map(read)
}

/** What the cursor is held against, of those scopes that it knows. */
export async function readHeads(
  { pages, batch }: Call,
  scopes: readonly string[],
  cursor: Cursor | null | undefined,
): Promise<ReadonlyMap<string, ScopeHead | undefined>> {
  const known = scopes.filter((scope) => cursor?.has(scope))
  return new Map(await inTurns(known, async (scope) => [scope, await pages.fetchHead(batch, scope)] as const))
}
