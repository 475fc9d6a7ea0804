import type { Rejection } from './errors.ts'
import type { Change } from './sync/change.ts'

/** Of more bad changes than this none is tried once more after the good ones: each would cost two whole tries. */
const triedAgainMax = 10

/**
 * Finds the changes that a database refuses, by their index: splits them in halves until each bad one stands alone.
 * `probe` says why the database would not take some of them together, and keeps nothing, so that nothing is half done
 * whatever happens meanwhile (P13). Halves are tried by themselves first, which makes the cost grow with the change set
 * and hardly with the number of bad changes; what passes alone is then tried together.
 */
export async function sift(
  changes: readonly Change[],
  probe: (some: readonly Change[]) => Promise<Rejection | undefined>,
): Promise<Map<number, Rejection>> {
  const rejected = new Map<Change, Rejection>()
  const order = new Map(inOrder(changes).map((change, place) => [change, place]))
  const sorted = (some: readonly Change[]) => some.toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0))

  /** What the database takes of the changes. */
  async function takenOf(part: readonly Change[]): Promise<readonly Change[]> {
    const error = await probe(part)
    if (!error) return part
    if (part.length < 2) return reject(part, error)
    const { place, withinRow } = halve(part)
    const taken = await takenOf(part.slice(0, place))
    const rest = part.slice(place)
    return join(taken, withinRow ? rest : await takenOf(rest))
  }

  /** What the database takes of `rest` after `taken`, and `taken`. */
  async function join(taken: readonly Change[], rest: readonly Change[]): Promise<readonly Change[]> {
    if (rest.length === 0) return taken
    const together = sorted([...taken, ...rest])
    const error = await probe(together)
    if (!error) return together
    if (rest.length < 2) return [...taken, ...reject(rest, error)]
    const half = rest.length >> 1
    return join(await join(taken, rest.slice(0, half)), rest.slice(half))
  }

  function reject(bad: readonly Change[], error: Rejection): readonly Change[] {
    for (const change of bad) rejected.set(change, error)
    return []
  }

  const taken = await takenOf([...order.keys()])
  // A change may need another of the same set, such as one that frees the value of a unique column.
  const again = sorted([...rejected.keys()])
  if (taken.length > 0 && again.length > 0 && again.length <= triedAgainMax) {
    rejected.clear()
    await join(taken, again)
  }
  return new Map([...rejected].map(([{ index }, error]) => [index, error]))
}

/** In stamp order, but the changes of a row side by side, where its first one stands. */
function inOrder(changes: readonly Change[]): Change[] {
  const byRow = new Map<string, Change[]>()
  for (const change of changes.toSorted((a, b) => a.at - b.at || a.index - b.index)) {
    const row = byRow.get(keyOf(change))
    if (row) row.push(change)
    else byRow.set(keyOf(change), [change])
  }
  return [...byRow.values()].flat()
}

/** Where to split: between two rows if it can be, since a patch by itself may lack the put before it. */
function halve(part: readonly Change[]): { place: number; withinRow: boolean } {
  const half = part.length >> 1
  for (let off = 0; off < part.length; off++) {
    for (const place of [half - off, half + off]) {
      const [before, after] = [part[place - 1], part[place]]
      if (before && after && keyOf(before) !== keyOf(after)) return { place, withinRow: false }
    }
  }
  return { place: half, withinRow: true }
}

function keyOf({ table, id }: Change): string {
  return `${table.name}\n${id}`
}
