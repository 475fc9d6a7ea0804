/**
 * What can happen, as fast-check draws it. Few ids, few scopes and clocks that stand still, so that
 * everything meets.
 */
import fc from 'fast-check'

/** Names of which ASCII order and that of a dictionary differ. */
export const clientNames = ['b-phone', 'B-tablet', 'a_watch', 'Z9'] as const
/** Whose token a client has: two of them are one user's. */
export const subjects = ['alice', 'alice', 'bob', 'carol'] as const
export const shared = ['team', 'news'] as const

const client = fc.nat({ max: clientNames.length - 1 })
/** 0 is the user's own scope. */
const scope = fc.constantFrom(0, 1, 1, 1, 1, 2)
const id = fc.constantFrom('x', 'x', 'y', 'z')
const text = fc.constantFrom('one', 'two', 'three "q" \\', 'füñf\u2028')

const number = fc.integer({ min: 0, max: 9 })
const counted = fc.oneof(
  { weight: 3, arbitrary: fc.record({ add: fc.integer({ min: -3, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ set: number }) },
)
/** What a put or patch may say of the columns of a table; a put says the first. */
const words: Readonly<Record<string, Readonly<Record<string, fc.Arbitrary<unknown>>>>> = {
  lists: { name: text },
  todos: {
    ...{ title: text, done: fc.boolean(), priority: fc.nat({ max: 3 }) },
    ...{ notes: fc.option(text), amount: fc.constant(0.1) },
  },
  products: {
    ...{ name: text, price: fc.option(number), stock: counted, sold: counted, best: number },
    ...{ least: fc.constantFrom(null, 0.5, 1.5, 2.5), made_by: fc.option(text) },
  },
  polls: {
    ...{ title: text, notes: fc.option(text), votes: counted, top: number, first: fc.option(text) },
    seen_at: fc.constantFrom(null, '2026-01-01T00:00:00.000Z', '2026-02-02T00:00:00.000Z'),
  },
  pages: { title: text, body: fc.option(text), done: fc.boolean() },
  people: { email: fc.constantFrom('a', 'b'), name: fc.option(text) },
  cards: { email: fc.constantFrom(null, 'a', 'b', 'b'), times: counted },
  stubs: { email: fc.constantFrom(null, 'a', 'b', 'b'), times: counted },
}
/** Columns of which a put may say what a new row begins with. */
const counters = ['stock', 'sold', 'votes', 'times']

function rowOf(table: string, op: 'put' | 'patch'): fc.Arbitrary<Record<string, unknown>> {
  const of = words[table] ?? {}
  const names = Object.keys(of)
  if (op === 'patch') {
    const some = fc.subarray(names, { minLength: 1, maxLength: Math.min(3, names.length) })
    return fc.tuple(some, fc.record(of)).map(([said, row]) => Object.fromEntries(said.map((name) => [name, row[name]])))
  }
  const beginning = counters.filter((name) => of[name]).map((name) => [name, fc.oneof(number, counted)] as const)
  return fc.record({ ...of, ...Object.fromEntries(beginning) }, { requiredKeys: names.slice(0, 1) })
}

/** What a user does to a row. */
interface Edit {
  readonly kind: 'edit'
  readonly client: number
  readonly scope: number
  readonly table: string
  readonly op: 'put' | 'patch' | 'delete'
  readonly id: string
  readonly create?: true
  /** It asks for the row as the client has it. */
  readonly isConditional: boolean
  readonly row?: Readonly<Record<string, unknown>>
}

const editOf = (tables: readonly string[]): fc.Arbitrary<Edit> =>
  fc
    .record({
      client,
      scope,
      id,
      table: fc.constantFrom(...tables),
      op: fc.constantFrom('put' as const, 'put' as const, 'patch' as const, 'patch' as const, 'delete' as const),
      isConditional: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      creates: fc.boolean(),
    })
    .chain(({ creates, ...edit }): fc.Arbitrary<Edit> => {
      if (edit.op === 'delete') return fc.constant({ kind: 'edit', ...edit })
      const { op, table } = edit
      // Most patches that make their row hold what a new one needs.
      const whole = fc.tuple(rowOf(table, 'patch'), fc.record(words[table] ?? {})).map(([row, all]) => {
        const [first = ''] = Object.keys(all)
        return { [first]: all[first], ...row }
      })
      const row = op === 'patch' && creates ? fc.oneof(whole, whole, rowOf(table, op)) : rowOf(table, op)
      const create = op === 'patch' && creates ? { create: true as const } : {}
      return row.map((said) => ({ kind: 'edit', ...edit, ...create, row: said }))
    })

const call = fc.record({
  client,
  half: fc.constantFrom('sync', 'sync', 'sync', 'push', 'pull'),
  limit: fc.constantFrom(1, 2, 3, 1000),
  return: fc.constantFrom('all', 'all', 'lost'),
  /** A broken change goes along. */
  isBroken: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
})
export type Call = typeof call extends fc.Arbitrary<infer T> ? T : never

/**
 * What becomes of a request on its way, or of its database: from the batch of that number on, or in
 * it alone.
 */
const fate = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'delivered' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'answer lost' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'repeated' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'delayed' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('outage' as const, 'fault before' as const, 'fault after' as const),
      batch: fc.nat({ max: 2 }),
    }),
  },
)

const together = fc.record({
  kind: fc.constant('together' as const),
  calls: fc.uniqueArray(call, { minLength: 2, maxLength: 4, selector: ({ client }) => client }),
  /** Which of the rows to be written a rival holds meanwhile, where the database can. */
  hold: fc.option(fc.nat({ max: 9 }), { freq: 3 }),
})

const stepOf = (tables: readonly string[]) =>
  fc.oneof(
    { weight: 20, arbitrary: editOf(tables) },
    { weight: 10, arbitrary: fc.record({ kind: fc.constant('call' as const), call, fate }) },
    { weight: 3, arbitrary: together },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('deliver' as const), place: fc.nat({ max: 3 }), keep: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), client }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('save' as const), client }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('jump' as const),
        client,
        skewMs: fc.constantFrom(0, 0, -3_600_000, -1, 1, 299_999, 300_001, 31_536_000_000),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('tick' as const),
        ms: fc.constantFrom(1, 1, 2, 60_000, 400_000, 15 * 86_400_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('prune' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('grant' as const),
        client,
        scope: fc.constantFrom(...shared),
        access: fc.constantFrom('read' as const, 'write' as const, 'write' as const, undefined),
      }),
    },
  )
export type Step = ReturnType<typeof stepOf> extends fc.Arbitrary<infer T> ? T : never

/** Of few tables: what is done to them meets. Those without a rule are as likely as those with all. */
const someTables = fc.constantFrom(
  ...[['todos', 'lists'], ['todos'], ['products'], ['products', 'todos'], ['polls'], ['pages', 'polls']],
  ...[['people', 'cards'], ['cards'], ['stubs'], ['products', 'cards'], Object.keys(words)],
)

export const steps = (maxLength = 80): fc.Arbitrary<Step[]> =>
  someTables.chain((tables) => fc.array(stepOf(tables), { minLength: 5, maxLength, size: 'max' }))
