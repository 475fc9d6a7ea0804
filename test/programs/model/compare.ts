import { isDeepStrictEqual } from 'node:util'
import type { Store } from '../../../src/stores/store.ts'
import { Broken } from './explain.ts'
import { emptyScope, type ScopeState } from './reference.ts'

/** The rows that a client should hold of a scope. */
export function liveRows(scope: string, { rows }: ScopeState = emptyScope): object[] {
  return [...rows.values()]
    .filter(({ op }) => op === 'put')
    .map(({ table, id, at, by, row }) => ({ scope, table, id, at, by, row }))
}

/** Rows and tombstones, with their positions, as `storedLines` reads them. */
export function rowLines({ rows }: ScopeState): string[] {
  return [...rows.values()].map(({ table, id, op, at, by, position, row }) =>
    [table, id, op, at, by, position, row?.title ?? row?.name ?? null].join('|'),
  )
}

/** The database's own rows, past driftline. */
export async function storedLines(store: Store, scope: string): Promise<string[]> {
  const read = (table: string, column: string) =>
    `SELECT '${table}', id, CASE WHEN deleted THEN 'delete' ELSE 'put' END, updated_at, updated_by, position, ${column}
FROM ${table} WHERE scope = ${store.dialect.param(1)}`
  const rows = await store.batch(scope, [
    { sql: read('lists', 'name'), params: [scope] },
    { sql: read('todos', 'title'), params: [scope] },
  ])
  return rows.flat().map((row) => row.join('|'))
}

/** In any order. */
export function mustBeSame(what: string, expected: readonly unknown[], got: readonly unknown[]): void {
  const text = (one: unknown) => JSON.stringify(one)
  const sorted = (some: readonly unknown[]) => some.toSorted((a, b) => (text(a) < text(b) ? -1 : 1))
  if (isDeepStrictEqual(sorted(expected), sorted(got))) return
  throw new Broken(`${what}\n  expected ${text(sorted(expected))}\n  got      ${text(sorted(got))}`)
}
