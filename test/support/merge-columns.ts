import { compareStamps, type Stamp } from '../../src/model/stamp.ts'

/**
 * What the rules of merging do to one column, in plain values: the half of merge-reference.ts that
 * knows nothing of rows.
 */
export type MergeRule = 'plain' | 'max' | 'min' | 'once' | 'counter' | 'created' | 'written'

/**
 * What became of what a change says of a column: it took effect, or it is there already by this
 * very stamp, or something greater is there.
 */
export type Part = 'took' | 'same' | 'greater'

interface Add extends Stamp {
  readonly n: number
  /** The row that it was added to was deleted. */
  readonly isNought?: true
}

/** A counter is its begin, or its last set, plus every add that is later than that set. */
export interface Counter {
  readonly begin: number
  /** The stamp of the last set, of which `begin` then is the number. */
  readonly set?: Stamp | undefined
  /** All that were ever added, those before the set too. */
  readonly adds: readonly Add[]
}

/** What a change may say of a counter. A bare number is what a new row begins with. */
export type CounterWords = number | { readonly add: number } | { readonly set: number }

export function counterValue({ begin, set, adds }: Counter): number {
  const counted = adds.filter((add) => !add.isNought && (!set || compareStamps(add, set) > 0))
  return counted.reduce((sum, { n }) => sum + n, begin)
}

/** That of a new row; after a tombstone its number counts as a set at the tombstone's stamp. */
export function beginCounter(begin: number, tombstone: Stamp | undefined, before: Counter | undefined): Counter {
  return { begin, set: tombstone, adds: before?.adds ?? [] }
}

/** A deleted row's adds are nought, and stay known. */
export const buryCounter = ({ adds }: Counter): Counter => ({
  begin: 0,
  adds: adds.map((add) => ({ ...add, isNought: true })),
})

/** `undefined`: nothing was said that concerns a living row. */
export function mergeCounter(
  counter: Counter,
  said: CounterWords | undefined,
  { at, by }: Stamp,
): { readonly counter: Counter; readonly part: Part } | undefined {
  if (said === undefined || typeof said === 'number') return undefined
  const isKnown = 'add' in said && counter.adds.some((add) => compareStamps(add, { at, by }) === 0)
  const part = isKnown ? 'same' : comparePart({ at, by }, counter.set)
  if (part !== 'took') return { counter, part }
  if ('set' in said) return { counter: { ...counter, begin: said.set, set: { at, by } }, part }
  return { counter: { ...counter, adds: [...counter.adds, { at, by, n: said.add }] }, part }
}

/** Last writer wins: against the stamp that is stored. */
export function comparePart(stamp: Stamp, stored: Stamp | undefined): Part {
  const order = stored ? compareStamps(stamp, stored) : 1
  return order > 0 ? 'took' : order === 0 ? 'same' : 'greater'
}

/** max, min and once, whatever the stamp is. What is null gives way. */
export function mergeValue(
  rule: 'max' | 'min' | 'once',
  stored: unknown,
  said: unknown,
): { readonly value: unknown; readonly part: Part } {
  if (said === null || JSON.stringify(stored) === JSON.stringify(said)) return { value: stored, part: 'same' }
  const isMore = rule !== 'once' && said !== null && isGreater(said, stored) === (rule === 'max')
  return stored === null || isMore ? { value: said, part: 'took' } : { value: stored, part: 'greater' }
}

/** Numbers, or times in their one spelling. */
const isGreater = (a: unknown, b: unknown) => (a as number | string) > (b as number | string)
