import type { Change } from '../../model/change.ts'
import type { Rejection } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import { keyOf, rowsOf } from './coalesce.ts'

/**
 * Tries parts one after the other, each on top of those before it that pass, and keeps nothing. With `immediate` each
 * part must satisfy by itself what otherwise is checked at the commit.
 */
export type TryParts = (parts: readonly (readonly Change[])[], immediate: boolean) => Promise<Tried>

export interface Tried {
  /** Why each part does not pass; undefined where it does. */
  readonly errors: readonly (Rejection | undefined)[]
  /** Whether what passed could be committed. */
  readonly commits: boolean
}

export interface Bisected {
  /** Why the database refuses a change, by its index. */
  readonly rejected: ReadonlyMap<number, Rejection>
  /** The others, in an order and in parts in which the database takes them one after the other. */
  readonly parts: readonly (readonly Change[])[]
}

/** Into so many parts what fails is split: a set of 5,000 is down to single changes after three more tries. */
const splitInto = 16

/**
 * Finds the changes that a database refuses, as if they were sent one by one in stamp order: what passes before is there
 * for what follows. A refused change is tried once more after all others, the last one first, since it may need one of
 * them, such as a child its parent; so long as that helps it is done again. `sendFewer` answers what is not found out
 * within the limit of tries.
 */
export async function bisect(changes: readonly Change[], tryParts: TryParts, sendFewer: Rejection): Promise<Bisected> {
  let tries = 0
  const counted: TryParts = (parts, immediate) => {
    tries++
    return tryParts(parts, immediate)
  }
  const isLeft = () => tries < limits.refusalTriesMax
  const found = await search(changes, counted, isLeft, sendFewer, false)
  // Each part passes, and together they break what only the commit checks.
  const exact = found.commits ? found : await search(changes, counted, isLeft, sendFewer, true)
  const rejected = [...exact.rejected].map(([{ index }, error]) => [index, error] as const)
  return { rejected: new Map(rejected), parts: exact.parts }
}

interface Searched {
  readonly rejected: Map<Change, Rejection>
  readonly parts: readonly (readonly Change[])[]
  readonly commits: boolean
}

async function search(
  changes: readonly Change[],
  tryParts: TryParts,
  isLeft: () => boolean,
  sendFewer: Rejection,
  immediate: boolean,
): Promise<Searched> {
  const rejected = new Map<Change, Rejection>()
  let parts = split(inStampOrder(changes), splitInto)
  for (;;) {
    const { errors, commits } = await tryParts(parts, immediate)
    const failed = errors.filter((error) => error !== undefined).length
    if (failed === 0) return await tryAgain({ rejected, parts, commits }, tryParts, isLeft, immediate)
    // Where most parts fail, many changes are bad, and halving would try each of them many times.
    const into = failed * 2 > parts.length ? Number.POSITIVE_INFINITY : splitInto
    const next: (readonly Change[])[] = []
    for (const [place, part] of parts.entries()) {
      const error = errors[place]
      // What was not tried stands behind something that was, which is found out first.
      if (!error || (error === sendFewer && isLeft())) next.push(part)
      else if (part.length === 1) rejected.set(part[0] as Change, error)
      else if (isLeft()) next.push(...split(part, into))
      else for (const change of part) rejected.set(change, sendFewer)
    }
    parts = next
    if (parts.length === 0) return { rejected, parts, commits: true }
    // The last word of the tries: what did not fail then is handed on as it is.
    if (!isLeft()) return { rejected, parts, commits: true }
  }
}

/** Tries the rows of refused changes again, behind all others. */
async function tryAgain(
  found: Searched,
  tryParts: TryParts,
  isLeft: () => boolean,
  immediate: boolean,
): Promise<Searched> {
  let { parts, commits } = found
  const { rejected } = found
  while (commits && rejected.size > 0 && parts.length > 0 && isLeft()) {
    const rows = [...rowsOf(changesOfRows(rejected, parts))].reverse()
    const rowKeys = new Set(rows.map(([key]) => key))
    const before = parts
    const others = withoutRows(before, rowKeys)
    const tried = await tryParts([...others, ...rows.map(([, row]) => row)], immediate)
    const gained = rows.filter((_, place) => tried.errors[others.length + place] === undefined)
    const isHarmless = tried.errors.slice(0, others.length).every((error) => error === undefined) && tried.commits
    if (gained.length === 0 || !isHarmless) break
    const gainedKeys = new Set(gained.map(([key]) => key))
    parts = [...withoutRows(before, gainedKeys), ...gained.map(([, row]) => row)]
    commits = tried.commits
    for (const [, row] of gained) for (const change of row) rejected.delete(change)
  }
  return { rejected, parts, commits }
}

/** The refused changes, and whatever else passed of their rows, in stamp order. */
function changesOfRows(rejected: ReadonlyMap<Change, Rejection>, parts: readonly (readonly Change[])[]): Change[] {
  const keys = new Set([...rejected.keys()].map(keyOf))
  return inStampOrder([...rejected.keys(), ...parts.flat().filter((change) => keys.has(keyOf(change)))])
}

function withoutRows(parts: readonly (readonly Change[])[], keys: ReadonlySet<string>): (readonly Change[])[] {
  return parts.map((part) => part.filter((change) => !keys.has(keyOf(change)))).filter((part) => part.length > 0)
}

function inStampOrder(changes: readonly Change[]): Change[] {
  return changes.toSorted((a, b) => a.at - b.at || a.index - b.index)
}

function split<Item>(items: readonly Item[], into: number): (readonly Item[])[] {
  const size = Math.max(1, Math.ceil(items.length / into))
  const parts: (readonly Item[])[] = []
  for (let from = 0; from < items.length; from += size) parts.push(items.slice(from, from + size))
  return parts
}
