import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { libsqlFileStore } from '../../src/stores/libsql/file.ts'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import type { Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { type MergePair, mergePairs, racedSchema } from '../support/merge-pairs.ts'
import { noon, principal } from '../support/sample.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

/**
 * Two sessions on every guarded statement of rows that merge, of keys and of changes that ask for a
 * row. On Postgres locks give the order, never sleeping.
 */

interface Verdict {
  readonly verdict: string
  readonly action?: string
  readonly lost?: readonly string[]
  readonly error?: { readonly code: string }
}
interface Row {
  readonly table: string
  readonly id: string
  readonly at: number
  readonly by: string
  readonly row?: object
}

const open = (store: Store) => createSync({ schema: racedSchema, store, now: () => noon / 1000 + 60_000 })
type Sync = ReturnType<typeof open>

let scopes = 0
async function begin(sync: Sync, { before }: Pick<MergePair, 'before'>) {
  const who = principal(`race${++scopes}`)
  // The scope is there, so that there is something to lock.
  const marker = { table: 'members', op: 'put', id: 'marker', at: noon, row: {} }
  const { cursor } = await sync.sync(who, { client: 'zoe', cursor: null, changes: [marker] as never })
  for (const change of before) await sync.push(who, { client: 'zoe', changes: [change] as never })
  return { who, cursor }
}
type Scope = Awaited<ReturnType<typeof begin>>

async function send(sync: Sync, { who }: Scope, { by, changes }: MergePair['pushes'][0]): Promise<Verdict[]> {
  const { verdicts } = await sync.push(who, { client: by, changes: changes as never })
  return (verdicts as readonly Verdict[]).map(({ verdict, action, lost, error }) => ({
    ...{ verdict, ...(action && { action }), ...(lost && { lost }) },
    ...(error && { error: { code: error.code } }),
  }))
}

async function rowsOf(sync: Sync, { who, cursor }: Scope): Promise<Row[]> {
  const { changes } = await sync.pull(who, { cursor: cursor ?? null })
  return (changes as readonly unknown[] as readonly Row[])
    .map(({ table, id, at, by, row }) => ({ table, id, at, by, ...(row && { row }) }))
    .toSorted((a, b) => (`${a.table} ${a.id}` < `${b.table} ${b.id}` ? -1 : 1))
}

/** What comes of the pushes one behind the other, in that order. */
async function inTurn(sync: Sync, pair: MergePair, order: readonly [0 | 1, 0 | 1]) {
  const scope = await begin(sync, pair)
  const verdicts: Verdict[][] = []
  for (const place of order) verdicts[place] = await send(sync, scope, pair.pushes[place])
  return { verdicts, rows: await rowsOf(sync, scope) }
}
const orders = [
  [0, 1],
  [1, 0],
] as const
const cases = mergePairs.flatMap((pair) =>
  orders.map((order) => ({ ...pair, order, pair, first: pair.pushes[order[0]].by })),
)

describe('races of changes that merge on Postgres', () => {
  let opened: TestStore
  let rival: pg.Client
  let others: Store
  let syncs: readonly [Sync, Sync]
  beforeAll(async () => {
    opened = await openTestStore('postgres', racedSchema)
    others = postgresStore(opened.url as string)
    syncs = [open(opened.store), open(others)]
    rival = new pg.Client({ connectionString: opened.url })
    await rival.connect()
  })
  afterAll(async () => {
    await rival.end()
    await others.close()
    await opened.close()
  })

  /** Waits until so many sessions of this database wait for a lock. */
  async function untilBlocked(sessions = 1) {
    for (;;) {
      await rival.query('SELECT pg_stat_clear_snapshot()')
      const { rows } = await rival.query(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      if (rows[0].n >= sessions) return
    }
  }

  it.each(cases)(
    'P2 P12 $title: two servers, of which $first gets the lock first, end as one behind the other',
    async ({ pair, order }) => {
      const scope = await begin(syncs[0], pair)
      await rival.query('BEGIN')
      await rival.query('SELECT 1 FROM driftline_scopes WHERE scope = $1 FOR UPDATE', [scope.who.subject])
      const begun: Promise<Verdict[]>[] = []
      for (const [n, place] of order.entries()) {
        begun[place] = send(syncs[place], scope, pair.pushes[place])
        await untilBlocked(n + 1)
      }
      await rival.query('COMMIT')
      const ended = { verdicts: await Promise.all(begun), rows: await rowsOf(syncs[0], scope) }
      expect(ended).toEqual(await inTurn(syncs[0], pair, order))
    },
  )

  /**
   * Writes to the row as another driftline would, without the scope's lock, so that only the guard of
   * the statement decides, which waits for this in the middle of its transaction.
   */
  async function meet(rivals: string, change: object, before: object = {}) {
    const table = 'products'
    const row = { name: 'first', stock: 5, best: 3, least: 3, ...before }
    const scope = await begin(syncs[0], { before: [{ table, op: 'put', id: 'a', at: noon, row }] })
    await rival.query('BEGIN')
    await rival.query(`UPDATE products SET ${rivals} WHERE scope = '${scope.who.subject}' AND id = 'a'`)
    const sent = send(syncs[0], scope, { by: 'anna', changes: [{ table, id: 'a', at: noon + 10, ...change }] })
    await untilBlocked()
    await rival.query('COMMIT')
    const [verdict] = await sent
    return [verdict?.verdict, (await rowsOf(syncs[0], scope)).find(({ id }) => id === 'a')?.row] as const
  }
  const stamp = (at: number) => `'${String(noon + at).padStart(16, '0')}rival'`
  const patched = (at: number, column: string, value: string) =>
    `${column} = ${value}, "${column}$" = ${stamp(at)}, base$at = updated_at, base$by = updated_by, updated_at = ${noon + at}, updated_by = 'rival'`
  const patch = (row: object) => ({ op: 'patch', row })

  it.each([
    [
      'a patch',
      'a later one of its column',
      patched(20, 'name', `'rival'`),
      patch({ name: 'm' }),
      'stale',
      { name: 'rival' },
    ],
    [
      'a patch',
      'an earlier one of its column',
      patched(5, 'name', `'rival'`),
      patch({ name: 'm' }),
      'applied',
      { name: 'm' },
    ],
    [
      'a patch',
      'a later one of another column',
      patched(20, 'price', '7'),
      patch({ name: 'm' }),
      'applied',
      { name: 'm', price: 7 },
    ],
    [
      'a put',
      'a later patch',
      patched(20, 'price', '7'),
      { op: 'put', row: { name: 'm', price: 1 } },
      'applied',
      { name: 'm', price: 7 },
    ],
    ['an add', 'another add', 'stock = stock + 10', patch({ stock: { add: 1 } }), 'applied', { stock: 16 }],
    [
      'an add',
      'a later set',
      `stock = 20, "stock$" = ${stamp(20)}`,
      patch({ stock: { add: 1 } }),
      'stale',
      { stock: 20 },
    ],
    [
      'an add',
      'an earlier set',
      `stock = 20, "stock$" = ${stamp(5)}`,
      patch({ stock: { add: 1 } }),
      'applied',
      { stock: 21 },
    ],
    [
      'a set',
      'a later set',
      `stock = 20, "stock$" = ${stamp(20)}`,
      patch({ stock: { set: 30 } }),
      'stale',
      { stock: 20 },
    ],
    [
      'a set',
      'an earlier set',
      `stock = 20, "stock$" = ${stamp(5)}`,
      patch({ stock: { set: 30 } }),
      'applied',
      { stock: 30 },
    ],
    ['a maximum', 'a greater one', 'best = 9', patch({ best: 7 }), 'stale', { best: 9 }],
    ['a maximum', 'a lesser one', 'best = 5', patch({ best: 7 }), 'applied', { best: 7 }],
    ['a minimum', 'a lesser one', 'least = 1', patch({ least: 2 }), 'stale', { least: 1 }],
    ['a minimum', 'a greater one', 'least = 3', patch({ least: 2 }), 'applied', { least: 2 }],
    ['a first value', 'another', `made_by = 'rival'`, patch({ made_by: 'm' }), 'stale', { made_by: 'rival' }],
    ['a first value', 'something else', 'best = 5', patch({ made_by: 'm' }), 'applied', { made_by: 'm', best: 5 }],
    [
      'a put',
      'a greater maximum',
      'best = 9',
      { op: 'put', row: { name: 'm', best: 4 } },
      'applied',
      { name: 'm', best: 9 },
    ],
    ['a put', 'an add', 'stock = stock + 10', { op: 'put', row: { name: 'm', stock: 1 } }, 'applied', { stock: 15 }],
  ] as const)(
    'P2 %s that waits for %s, of a session without the scope’s lock',
    async (_, __, rivals, change, verdict, row) => {
      const [said, left] = await meet(rivals, change)
      expect([said, left]).toMatchObject([verdict, row])
    },
  )
})

describe('races of changes that merge in one libSQL file', () => {
  let opened: TestStore
  let others: Store
  let syncs: readonly [Sync, Sync]
  beforeAll(async () => {
    opened = await openTestStore('libsql file', racedSchema)
    others = await libsqlFileStore(opened.url as string)
    syncs = [open(opened.store), open(others)]
  })
  afterAll(async () => {
    await others.close()
    await opened.close()
  })

  it.each(mergePairs)('P2 P12 $title: two writers at once end as one behind the other', async (pair) => {
    const either = [await inTurn(syncs[0], pair, [0, 1]), await inTurn(syncs[1], pair, [1, 0])]
    for (let round = 0; round < 4; round++) {
      const scope = await begin(syncs[0], pair)
      const sendOf = (place: 0 | 1) => send(syncs[place], scope, pair.pushes[place])
      // Whoever asks first is not always whom the file lets in first.
      const begun = round % 2 === 0 ? [sendOf(0), sendOf(1)] : [sendOf(1), sendOf(0)].toReversed()
      const ended = { verdicts: await Promise.all(begun), rows: await rowsOf(syncs[0], scope) }
      expect(either).toContainEqual(ended)
    }
  })

  it('P5 the same adds pushed ten times at once by two writers of the file count once', async () => {
    const scope = await begin(syncs[0], { before: [{ table: 'members', op: 'put', id: 'a', at: noon, row: {} }] })
    const add = (at: number) => ({
      table: 'members',
      op: 'patch',
      id: 'a',
      at: noon + at,
      row: { points: { add: at } },
    })
    const push = { by: 'anna', changes: [add(1), add(2), add(3)] }
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => send(syncs[n % 2 === 0 ? 0 : 1], scope, push)),
    )
    for (const place of push.changes.keys())
      expect(answers.filter((verdicts) => verdicts[place]?.verdict === 'applied')).toHaveLength(1)
    expect(await rowsOf(syncs[1], scope)).toMatchObject([{ id: 'a', row: { points: 6 } }])
  })
})
