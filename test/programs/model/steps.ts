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
const scope = fc.constantFrom(0, 1, 1, 2)
const id = fc.constantFrom('x', 'y', 'z')
const text = fc.constantFrom('one', 'two', 'three "q" \\', 'füñf\u2028')

const row = fc.record(
  { title: text, done: fc.boolean(), priority: fc.nat({ max: 3 }), notes: fc.option(text), amount: fc.constant(0.1) },
  { requiredKeys: [] },
)

const edit = fc
  .record({
    client,
    scope,
    id,
    table: fc.constantFrom('todos', 'todos', 'lists'),
    op: fc.constantFrom('put', 'put', 'patch', 'patch', 'delete'),
    text,
    row,
  })
  .map(({ text, row, ...edit }) => {
    const whole = edit.table === 'lists' ? { name: text } : { ...row, title: text }
    const some = edit.table === 'lists' || Object.keys(row).length === 0 ? whole : row
    return { kind: 'edit' as const, ...edit, ...(edit.op !== 'delete' && { row: edit.op === 'put' ? whole : some }) }
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

export const step = fc.oneof(
  { weight: 12, arbitrary: edit },
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
    arbitrary: fc.record({ kind: fc.constant('tick' as const), ms: fc.constantFrom(1, 1, 2, 60_000, 400_000) }),
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
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

export const steps = (maxLength = 80) => fc.array(step, { minLength: 5, maxLength, size: 'max' })
