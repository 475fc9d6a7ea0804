import { limits } from '../model/limits.ts'
import type { Store } from '../stores/store.ts'

/** Scopes by the database that they live in, in their order: one batch may be about all of them. */
export async function groupByPlace(store: Store, scopes: readonly string[]): Promise<readonly (readonly string[])[]> {
  const { placeOf = (scope: string) => scope } = store
  // A place may have to be looked up, which one scope alone has no need of.
  if (scopes.length < 2) return scopes.length > 0 ? [scopes] : []
  const places = new Map<string, string[]>()
  for (const scope of scopes) {
    const found = placeOf(scope)
    // Nearly always known: waiting for nothing costs a turn for each scope.
    const place = typeof found === 'string' ? found : await found
    const some = places.get(place)
    if (some) some.push(scope)
    else places.set(place, [scope])
  }
  return [...places.values()]
}

/** The same, and no more of them than one batch should write. */
export async function groupForWrites(store: Store, scopes: readonly string[]): Promise<readonly (readonly string[])[]> {
  const places = await groupByPlace(store, scopes)
  return places.flatMap((some) => {
    const most = limits.scopesTogetherMax
    return Array.from({ length: Math.ceil(some.length / most) }, (_, n) => some.slice(n * most, (n + 1) * most))
  })
}

/** Of some scopes those that live in the same database as one, and the others. */
export async function splitPlaces(
  store: Store,
  one: string | undefined,
  scopes: readonly string[],
): Promise<{ readonly near: readonly string[]; readonly far: readonly string[] }> {
  if (one === undefined || scopes.length === 0) return { near: [], far: scopes }
  const places = await groupByPlace(store, [one, ...scopes])
  const near = new Set(places[0])
  return { near: scopes.filter((scope) => near.has(scope)), far: scopes.filter((scope) => !near.has(scope)) }
}
