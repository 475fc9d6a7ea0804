import fc from 'fast-check'
import type { MergeChange } from './merge-row.ts'
import { type MergeTableName, mergeTableNames, mergeTables } from './merge-tables.ts'

/** A change set and who sends it. */
export interface MergePush {
  readonly by: string
  readonly changes: readonly MergeChange[]
}

/** The time before the first stamp, in microseconds: a safe one for every server's clock. */
export const mergeStart = Date.UTC(2026, 10, 21, 1) * 1000

const clients = ['anna', 'bert', 'carl']
const times = ['2026-01-01T00:00:00.000Z', '2026-02-02T00:00:00.000Z']

const number = fc.integer({ min: 0, max: 9 })
const counted = fc.oneof(
  fc.record({ add: fc.integer({ min: -3, max: 5 }) }),
  fc.record({ add: fc.integer({ min: -3, max: 5 }) }),
  fc.record({ set: number }),
)
/** What a put or patch may say of each column. */
const words: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  name: fc.constantFrom('x', 'y', 'z'),
  title: fc.constantFrom('x', 'y', 'z'),
  price: fc.constantFrom(null, 1, 2, 3),
  body: fc.constantFrom(null, 'b', 'c'),
  notes: fc.constantFrom(null, 'm', 'n'),
  done: fc.boolean(),
  best: number,
  top: number,
  least: fc.constantFrom(null, 0.5, 1.5, 2.5),
  seen_at: fc.constantFrom(null, ...times),
  made_by: fc.constantFrom(null, 'p', 'q'),
  first: fc.constantFrom(null, 'p', 'q'),
}
const required = new Set(['name', 'title'])

export interface MergeKinds {
  readonly tables?: readonly MergeTableName[]
  readonly ops?: readonly MergeChange['op'][]
  readonly ids?: readonly string[]
  /** Stamps are those from 1 up to this. Few: changes meet. */
  readonly atMax?: number
  readonly creates?: boolean
  readonly conditions?: boolean
  /** What is never said. */
  readonly without?: readonly string[]
  /** What patches never say, where that differs. */
  readonly unpatched?: readonly string[]
}

function rowOf(table: MergeTableName, op: 'put' | 'patch', kinds: MergeKinds): fc.Arbitrary<Record<string, unknown>> {
  const left = [...(kinds.without ?? []), ...(op === 'patch' ? (kinds.unpatched ?? []) : [])]
  const columns = Object.entries(mergeTables[table].columns).filter(
    ([name, { rule }]) => rule !== 'created' && rule !== 'written' && !left.includes(name),
  )
  const said = (name: string, rule: string) => {
    if (rule !== 'counter') return words[name] as fc.Arbitrary<unknown>
    return op === 'put' ? fc.oneof(number, counted) : counted
  }
  const model = Object.fromEntries(columns.map(([name, { rule }]) => [name, said(name, rule)]))
  if (op === 'put') {
    const requiredKeys = Object.keys(model).filter((name) => required.has(name))
    return fc.record(model, { requiredKeys })
  }
  return fc
    .tuple(fc.subarray(Object.keys(model), { minLength: 1, maxLength: Math.min(3, columns.length) }), fc.record(model))
    .map(([names, values]) => Object.fromEntries(names.map((name) => [name, values[name]])))
}

export function mergeChange({
  tables = mergeTableNames,
  ops = ['put', 'patch', 'patch', 'delete'],
  ids = ['a', 'b'],
  atMax = 12,
  ...kinds
}: MergeKinds = {}): fc.Arbitrary<MergeChange> {
  const stamp = fc.record({ at: fc.integer({ min: 1, max: atMax }), by: fc.constantFrom(...clients) })
  const seen = stamp.map(({ at, by }) => ({ at: mergeStart + at, by }))
  return fc
    .record({ table: fc.constantFrom(...tables), op: fc.constantFrom(...ops), id: fc.constantFrom(...ids) })
    .chain(({ table, op, id }) =>
      fc.record({
        ...{ table: fc.constant(table), op: fc.constant(op), id: fc.constant(id) },
        at: stamp.map(({ at }) => mergeStart + at),
        row: op === 'delete' ? fc.constant(undefined) : rowOf(table, op, kinds),
        create: kinds.creates && op === 'patch' ? fc.boolean() : fc.constant(false),
        if: kinds.conditions ? fc.option(seen, { nil: undefined, freq: 2 }) : fc.constant(undefined),
      }),
    )
    .map(({ row, create, if: condition, ...change }) => ({
      ...change,
      ...(row && { row }),
      ...(create && { create }),
      ...(condition && { if: condition }),
    }))
}

/** A client gives a stamp to one change of a row only: what has another's is sent as that one. */
function conforming(pushes: readonly MergePush[]): MergePush[] {
  const sent = new Map<string, MergeChange>()
  return pushes.map(({ by, changes }) => ({
    by,
    changes: changes.map((change) => {
      const key = JSON.stringify([change.table, change.id, change.at, by])
      const first = sent.get(key) ?? change
      sent.set(key, first)
      return first
    }),
  }))
}

const pushOf = (kinds: MergeKinds) =>
  fc.record({
    by: fc.constantFrom(...clients),
    changes: fc.array(mergeChange(kinds), { minLength: 1, maxLength: 7 }),
  })

/**
 * Change sets as they arrive one after the other, of clients that keep to the contract; `clashing`:
 * of some that give one stamp to several changes of a row.
 */
export function mergeHistory(kinds: MergeKinds & { readonly clashing?: boolean } = {}): fc.Arbitrary<MergePush[]> {
  const pushes = fc.array(pushOf(kinds), { minLength: 1, maxLength: 5 })
  return kinds.clashing ? pushes : pushes.map(conforming)
}

/** The same changes, each of which arrives once or more often, in two orders and groupings. */
export function mergeArrangements(kinds: MergeKinds): fc.Arbitrary<readonly [MergePush[], MergePush[]]> {
  const one = fc.record({ by: fc.constantFrom(...clients), change: mergeChange(kinds) })
  const keyOf = ({ by, change }: { by: string; change: MergeChange }) =>
    JSON.stringify([change.table, change.id, change.at, by])
  const arrangement = (all: { by: string; change: MergeChange }[]) =>
    fc
      .subarray(all)
      .chain((again) =>
        fc.tuple(
          fc.shuffledSubarray([...all, ...again], { minLength: all.length + again.length }),
          fc.array(fc.boolean(), { minLength: 2 * all.length, maxLength: 2 * all.length }),
        ),
      )
      .map(([order, cuts]) => group(order, cuts))
  return fc
    .uniqueArray(one, { minLength: 1, maxLength: 10, selector: keyOf })
    .chain((all) => fc.tuple(arrangement(all), arrangement(all)))
}

function group(order: readonly { by: string; change: MergeChange }[], cuts: readonly boolean[]): MergePush[] {
  const pushes: { by: string; changes: MergeChange[] }[] = []
  for (const [place, { by, change }] of order.entries()) {
    const last = pushes.at(-1)
    if (last?.by === by && !cuts[place]) last.changes.push(change)
    else pushes.push({ by, changes: [change] })
  }
  return pushes
}

/** Puts that make each row, before every other stamp. */
export function firstPuts(tables: readonly MergeTableName[], ids: readonly string[] = ['a', 'b']): MergePush {
  const rows = {
    products: { name: 'first', price: 9, stock: 5, best: 2, least: 2 },
    polls: { title: 'first', votes: 3 },
    pages: { title: 'first' },
    notes: { title: 'first' },
  }
  const changes = tables.flatMap((table) =>
    ids.map((id): MergeChange => ({ table, op: 'put', id, at: mergeStart, row: rows[table] })),
  )
  return { by: 'zoe', changes }
}

/** What plain columns without stamps of their own are called: a patch of them keeps an order. */
export const plainOf = (table: MergeTableName): string[] =>
  Object.entries(mergeTables[table].columns).flatMap(([name, { rule }]) => (rule === 'plain' ? [name] : []))
