import { isDeepStrictEqual } from 'node:util'
import type { Store } from '../../../src/stores/store.ts'
import { Broken } from './explain.ts'
import { emptyScope, type ScopeState } from './reference.ts'
import { plainColumns } from './tables.ts'

/** The rows that a client should hold of a scope. */
export function liveRows(scope: string, { rows }: ScopeState = emptyScope): object[] {
  return [...rows.values()]
    .filter(({ op }) => op === 'put')
    .map(({ table, id, at, by, row }) => ({ scope, table, id, at, by, row }))
}

/** Rows and tombstones, with their positions, as `storedLines` reads them. */
export function rowLines({ rows }: ScopeState): string[] {
  return [...rows.values()].map(({ table, id, op, at, by, position, row }) => {
    const cells = (plainColumns[table] ?? []).map((name) => row?.[name] ?? null)
    return [table, id, op, at, by, position, ...cells].join('|')
  })
}

/** The database's own rows, past driftline. */
export async function storedLines(store: Store, scope: string): Promise<string[]> {
  const rows = await store.batch(
    scope,
    Object.entries(plainColumns).map(([table, columns]) => {
      const cells = columns.map((name) => `CASE WHEN NOT deleted THEN ${name} END`)
      return {
        sql: `SELECT '${table}', id, CASE WHEN deleted THEN 'delete' ELSE 'put' END, updated_at, updated_by, position, ${cells.join(', ')}
FROM ${table} WHERE scope = ${store.dialect.param(1)}`,
        params: [scope],
      }
    }),
  )
  return rows.flat().map((row) => row.join('|'))
}

/** In any order. */
export function mustBeSame(what: string, expected: readonly unknown[], got: readonly unknown[]): void {
  const text = (one: unknown) => JSON.stringify(one)
  const sorted = (some: readonly unknown[]) => some.toSorted((a, b) => (text(a) < text(b) ? -1 : 1))
  if (isDeepStrictEqual(sorted(expected), sorted(got))) return
  throw new Broken(`${what}\n  expected ${text(sorted(expected))}\n  got      ${text(sorted(got))}`)
}
