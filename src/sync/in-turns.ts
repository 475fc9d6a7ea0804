import { limits } from '../model/limits.ts'

/**
 * Side by side, but not too many at once. Waits for all that began, so that nothing goes on after
 * an error.
 */
export async function inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  for (let from = 0; from < items.length; from += limits.scopesAtOnceMax) {
    const done = await Promise.allSettled(items.slice(from, from + limits.scopesAtOnceMax).map(work))
    for (const one of done) {
      if (one.status === 'rejected') throw one.reason
      results.push(one.value)
    }
  }
  return results
}
