import type { Change } from '../../model/change.ts'
import type { Rejection } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import type { Allowance } from './allowance.ts'
import { keyOf, rowsOf } from './coalesce.ts'
import { idsIn, inReferringGroups } from './referring.ts'

/**
 * Tries parts one after the other, each on top of those before it that pass, and keeps nothing.
 * With `immediate` each part must satisfy by itself what otherwise is checked at the commit. Gives
 * nothing where the database took too long.
 */
export type TryParts = (parts: readonly (readonly Change[])[], immediate: boolean) => Promise<Tried | undefined>

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

/**
 * Into so many parts what fails is split: a set of 5,000 is down to single changes after a few more
 * tries.
 */
const splitInto = 16
/**
 * The parts of a try that did not pass before: so many at first, and then as many as about `tryMs`
 * are enough for.
 */
const [partsFirst, partsLeast, growth] = [128, 16, 8]
/** A change beside others in a part costs a database so much of what a part of its own costs. */
const perChange = 1 / 16
const [tryMs, tryMsMax] = [limits.databaseMsMax / 8, limits.databaseMsMax / 2]

/**
 * Finds the changes that a database refuses, as if they were sent one by one in stamp order: what
 * passes before is there for what follows. A refused change is tried once more after all others,
 * behind those that it refers to, since it may need one of them, such as a child its parent; so
 * long as that helps it is done again. It ends within a limit of tries and time, and no try has
 * more work than the one before it promises to be done in time: `sendFewer` answers what is not
 * found out by then, and with each request something is.
 */
export async function bisect(
  changes: readonly Change[],
  tryParts: TryParts,
  sendFewer: Rejection,
  allowance: Allowance,
): Promise<Bisected> {
  const tries = countTries(tryParts, allowance)
  const found = await search(changes, tries, sendFewer, false)
  // Each part passes, and together they break what only the commit checks.
  const exact = found.commits ? found : await search(changes, tries, sendFewer, true)
  const rejected = [...exact.rejected].map(([{ index }, error]) => [index, error] as const)
  return { rejected: new Map(rejected), parts: exact.parts }
}

interface Tries {
  readonly tryParts: TryParts
  isLeft(): boolean
  /** How many parts the next try may have that did not pass yet, beside those that did. */
  partsMax(passed: readonly (readonly Change[])[]): number
}

/** How much there is to do for parts, by the work of a part that is empty. */
const workOf = (parts: readonly (readonly Change[])[]) =>
  parts.reduce((sum, { length }) => sum + 1 + length * perChange, 0)

function countTries(tryParts: TryParts, allowance: Allowance): Tries {
  let tries = 0
  let [most, workMs] = [partsFirst, 0]
  return {
    isLeft: () => allowance.isLeft() && tries < limits.refusalTriesMax,
    partsMax(passed) {
      if (workMs === 0) return Math.max(partsLeast, most)
      const work = workOf(passed)
      // What passed is tried again each time: with as many new ones it is done after a few tries.
      const wanted = Math.max(tryMs / workMs - work, work)
      return Math.max(partsLeast, Math.min(most, wanted, tryMsMax / workMs - work))
    },
    async tryParts(parts, immediate) {
      tries++
      allowance.isLeft()
      const began = allowance.now()
      const tried = await tryParts(parts, immediate)
      // The parts of the first try are large.
      if (tries > 1) {
        workMs = (allowance.now() - began) / workOf(parts)
        most *= growth
      }
      return tried
    },
  }
}

interface Part {
  readonly changes: readonly Change[]
  readonly passed: boolean
  /** Changes that passed one after the other did not pass as one with it, so it stays by itself. */
  readonly isAlone?: boolean
}

interface Searched {
  readonly rejected: Map<Change, Rejection>
  readonly parts: readonly (readonly Change[])[]
  readonly commits: boolean
}

async function search(
  changes: readonly Change[],
  tries: Tries,
  sendFewer: Rejection,
  immediate: boolean,
): Promise<Searched> {
  const rejected = new Map<Change, Rejection>()
  let parts = split(inStampOrder(changes), splitInto).map(untried)
  for (;;) {
    parts = joinPassed(parts)
    const some = firstOf(parts, tries)
    const tried = await tries.tryParts(some.map(changesOf), immediate)
    if (!tried) return endEarly(rejected, parts, sendFewer)
    const { errors, commits } = tried
    const failed = errors.filter((error) => error !== undefined).length
    // Where most parts fail, many changes are bad, and halving would try each of them many times.
    const into = failed * 2 > some.length ? Number.POSITIVE_INFINITY : splitInto
    const next: Part[] = []
    let isKnown = true
    for (const [place, part] of some.entries()) {
      const error = errors[place]
      if (!isKnown) next.push(part)
      else if (!error) next.push({ ...part, passed: true })
      // What was not tried stands behind something that was, which is found out first.
      else if (error === sendFewer) next.push(part)
      else if (part.changes.length === 1) rejected.set(part.changes[0] as Change, error)
      else if (part.passed) {
        next.push(...split(part.changes, splitInto).map((some) => ({ ...untried(some), isAlone: true })))
        // What follows was tried without it.
        isKnown = false
      } else next.push(...split(part.changes, into).map((some) => ({ ...part, changes: some })))
    }
    parts = [...next, ...parts.slice(some.length)]
    if (parts.every(({ passed }) => passed) && (failed === 0 || parts.length === 0))
      return await tryAgain(
        { rejected, parts: parts.map(changesOf), commits: commits || parts.length === 0 },
        tries,
        sendFewer,
        immediate,
      )
    if (!tries.isLeft()) return endEarly(rejected, parts, sendFewer)
  }
}

/** Neighbours that passed one after the other become one part: one costs less than many. */
function joinPassed(parts: readonly Part[]): Part[] {
  const runs: Part[][] = []
  for (const part of parts) {
    const run = runs.at(-1)
    if (run?.[0] && isJoinable(part) && isJoinable(run[0])) run.push(part)
    else runs.push([part])
  }
  return runs.flatMap((run) => (run.length === 1 ? run : { changes: run.flatMap(changesOf), passed: true }))
}

const isJoinable = ({ passed, isAlone }: Part) => passed && isAlone !== true

/** The parts up to as many that did not pass yet as a try may have. */
function firstOf(parts: readonly Part[], tries: Tries): readonly Part[] {
  const max = tries.partsMax(parts.filter(({ passed }) => passed).map(changesOf))
  let count = 0
  const end = parts.findIndex(({ passed }) => !passed && ++count > max)
  return end === -1 ? parts : parts.slice(0, end)
}

/**
 * What passed is handed on as it is, and what is not found out is for another request, with what
 * refers to it.
 */
function endEarly(rejected: Map<Change, Rejection>, parts: readonly Part[], sendFewer: Rejection): Searched {
  const left = parts.filter(({ passed }) => !passed).flatMap(changesOf)
  const ids = new Set(left.map(({ id }) => id))
  for (const change of rejected.keys()) if (idsIn([change], ids).length > 0) left.push(change)
  for (const change of left) rejected.set(change, sendFewer)
  return { rejected, parts: parts.filter(({ passed }) => passed).map(changesOf), commits: true }
}

/**
 * Tries the rows of refused changes again, behind all others: those that refer to each other
 * together.
 */
async function tryAgain(found: Searched, tries: Tries, sendFewer: Rejection, immediate: boolean): Promise<Searched> {
  let { parts, commits } = found
  const { rejected } = found
  for (let gains = 1; gains > 0 && commits && rejected.size > 0; ) {
    gains = 0
    const rows = [...rowsOf(changesOfRows(rejected, parts)).values()].reverse()
    // Where nothing passed, no row alone has what it lacked before.
    const groups = inReferringGroups(rows).filter((group) => group.length > 1 || parts.length > 0)
    // A row of which a part passed is tried as a whole, and so without that part, which others may
    // need: such rows come in tries of their own.
    const isWhole = (group: readonly Change[]) => group.every((change) => rejected.has(change))
    const inOrder = groups.map((group) => inStampOrder(group.flat()))
    const whole = inOrder.filter(isWhole)
    let waiting = [...whole, ...inOrder.filter((group) => !isWhole(group))]
    let wholeLeft = whole.length
    while (waiting.length > 0) {
      const some = waiting.slice(0, Math.min(tries.partsMax(parts), wholeLeft || waiting.length))
      wholeLeft -= Math.min(wholeLeft, some.length)
      const others = withoutRows(parts, some)
      const tried = tries.isLeft() ? await tries.tryParts([...others, ...some], immediate) : undefined
      if (!tried) {
        for (const change of waiting.flat()) if (rejected.has(change)) rejected.set(change, sendFewer)
        return { rejected, parts, commits }
      }
      waiting = waiting.slice(some.length)
      const gained = some.filter((_, place) => tried.errors[others.length + place] === undefined)
      const isHarmless = tried.errors.slice(0, others.length).every((error) => error === undefined) && tried.commits
      if (gained.length === 0 || !isHarmless) continue
      gains += gained.length
      parts = [...withoutRows(parts, gained), ...gained]
      commits = tried.commits
      for (const change of gained.flat()) rejected.delete(change)
    }
  }
  return { rejected, parts, commits }
}

/** The refused changes, and whatever else passed of their rows, in stamp order. */
function changesOfRows(rejected: ReadonlyMap<Change, Rejection>, parts: readonly (readonly Change[])[]): Change[] {
  const keys = new Set([...rejected.keys()].map(keyOf))
  return inStampOrder([...rejected.keys(), ...parts.flat().filter((change) => keys.has(keyOf(change)))])
}

function withoutRows(parts: readonly (readonly Change[])[], rows: readonly (readonly Change[])[]) {
  const keys = new Set(rows.flat().map(keyOf))
  return parts.map((part) => part.filter((change) => !keys.has(keyOf(change)))).filter((part) => part.length > 0)
}

function inStampOrder(changes: readonly Change[]): Change[] {
  return changes.toSorted((a, b) => a.at - b.at || a.index - b.index)
}

const untried = (changes: readonly Change[]): Part => ({ changes, passed: false })
const changesOf = ({ changes }: Part) => changes

function split<Item>(items: readonly Item[], into: number): (readonly Item[])[] {
  const size = Math.max(1, Math.ceil(items.length / into))
  const parts: (readonly Item[])[] = []
  for (let from = 0; from < items.length; from += size) parts.push(items.slice(from, from + size))
  return parts
}
