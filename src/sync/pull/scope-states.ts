import type { ScopeHead } from '../../model/cursor-entry.ts'
import { headsSql } from '../../sql/count-sql.ts'
import { encodeParts } from '../../sql/parts.ts'
import { parseHead } from '../../sql/scope-page.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import type { Store } from '../../stores/store.ts'

/**
 * The heads of scopes that live in one database, in one round trip and of no row more than theirs.
 * A scope that was never written has none.
 */
export async function readStates(
  store: Pick<Store, 'dialect' | 'limits'>,
  batch: Store['batch'],
  scopes: readonly string[],
): Promise<ReadonlyMap<string, ScopeHead>> {
  const [first] = scopes
  return first === undefined ? new Map() : parseStates(await batch(first, planStates(store, scopes)))
}

/** The statements that read them. */
export function planStates(
  { dialect, limits }: Pick<Store, 'dialect' | 'limits'>,
  scopes: readonly string[],
): readonly Statement[] {
  const sql = headsSql(dialect)
  const parts = encodeParts(scopes, (part) => [dialect.encodeIds(part)], limits?.paramBytesMax)
  return parts.map((params) => ({ sql, params, reads: true }))
}

export function parseStates(results: readonly (readonly Cells[])[]): ReadonlyMap<string, ScopeHead> {
  const states = new Map<string, ScopeHead>()
  for (const [scope, ...cells] of results.flat()) {
    const head = parseHead([cells])
    if (head) states.set(String(scope), head)
  }
  return states
}
