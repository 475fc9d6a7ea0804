import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cells } from '../../src/sql/statement.ts'
import { type Store, StoreFault } from '../../src/stores/store.ts'
import { storeSuite } from '../../src/testing/index.ts'
import { openEmptyStore, type TestStore } from '../support/stores.ts'

type Batch = Store['batch']

/** What batches of the good store are made of, so that they go wrong in one way. */
const bugs: Readonly<Record<string, readonly [title: string, break_: (store: Store) => Partial<Store>]>> = {
  'runs each statement as a batch of its own': [
    'keeps nothing of a batch of which a statement fails, wherever it stands',
    ({ batch }) => ({
      async batch(scope, statements) {
        const results: Cells[][] = []
        for (const statement of statements) results.push(...(await batch(scope, [statement])))
        return results
      },
    }),
  ],
  'runs the last statement first': [
    'gives the rows of each statement in its place, a cell for each column in its order, and no row where there is none',
    ({ batch }) => ({ batch: async (scope, all) => (await batch(scope, all.toReversed())).toReversed() }),
  ],
  'gives only the results that have rows': [
    'gives the rows of each statement in its place, a cell for each column in its order, and no row where there is none',
    ({ batch }) => changed(batch, (results) => results.filter((rows) => rows.length > 0)),
  ],
  'gives rows as objects': [
    'gives what RETURNING returns, and keeps what it wrote',
    ({ batch }) => changed(batch, (results) => results.map((rows) => rows.map((cells) => ({ ...cells }) as never))),
  ],
  'hides a column behind another of its name': [
    'gives both of two columns of one name',
    ({ batch }) => changed(batch, (results) => results.map((rows) => rows.map((cells) => cells.toSpliced(0, 1)))),
  ],
  'trims texts': [
    'gives a text back as it was sent, whatever it holds',
    ({ batch }) => ({
      batch: (scope, all) =>
        batch(
          scope,
          all.map((one) => ({ ...one, params: one.params.map((value) => (value === ' ' ? ' .' : value)) })),
        ),
    }),
  ],
  'reads from a replica that lags behind': [
    'reads by a batch that only reads what a batch before it has committed, each time',
    ({ batch }) => {
      const seen = new Map<string, Cells[][]>()
      return {
        async batch(scope, statements) {
          const results = await batch(scope, statements)
          if (!statements.every(({ reads }) => reads)) return results
          const before = seen.get(scope) ?? results
          seen.set(scope, results)
          return before
        },
      }
    },
  ],
  'keeps what was written of a batch that failed at its end': [
    'a statement that undoes its batch on purpose is refused, and its text stands in the message',
    ({ batch }) => ({
      async batch(scope, statements) {
        await batch(scope, statements.slice(0, 1)).catch(() => {})
        return batch(scope, statements)
      },
    }),
  ],
  'does not look at numbers': [
    'the number 0.5 is no parameter: a TypeError says so before anything is sent',
    ({ batch }) => ({
      batch: (scope, all) =>
        batch(
          scope,
          all.map((one) => ({ ...one, params: one.params.map((value) => (value === 0.5 ? null : value)) })),
        ),
    }),
  ],
  'throws the errors of its driver': [
    'what the rows are at fault for is refused, and the constraint is named where it says which',
    ({ batch }) => faulty(batch, ({ cause }) => cause),
  ],
  'takes every fault for a passing one': [
    'what the rows are at fault for is refused, and the constraint is named where it says which',
    ({ batch }) => faulty(batch, (fault) => new StoreFault('transient', fault)),
  ],
  'takes what is not there for a fault of the rows': [
    'a table, a column or a word of SQL that is not there is broken, in what reads and in what writes',
    ({ batch }) => faulty(batch, (fault) => new StoreFault('refused', fault)),
  ],
  'hides what the database said': [
    'a statement that undoes its batch on purpose is refused, and its text stands in the message',
    ({ batch }) => faulty(batch, (fault) => new StoreFault(fault.kind, { ...fault, message: 'it failed' })),
  ],
  'names another constraint': [
    'what the rows are at fault for is refused, and the constraint is named where it says which',
    ({ batch }) =>
      faulty(batch, (fault) => new StoreFault(fault.kind, { message: fault.message, constraint: 'other' })),
  ],
  'lets nobody wait for another': [
    'a batch waits for another that has written the same row, and goes on from what that one committed',
    ({ batch }) => {
      const last = new Map<string, Promise<Cells[][]>>()
      return {
        batch(scope, statements) {
          const [{ sql = '' } = {}] = statements
          const result = (sql.includes('n = n +') && last.get(scope)) || batch(scope, statements)
          last.set(scope, result)
          return result
        },
      }
    },
  ],
  'says that it takes more than it does': [
    'takes a statement of as many bytes as it says, or of 100,000',
    () => ({ limits: { paramBytesMax: 1, sqlBytesMax: 2_000_000_000, resultColumnsMax: 1 } }),
  ],
  'says of each scope that it is alone': [
    'scopes share a database where placeOf gives them one place, and only there',
    () => ({ placeOf: (scope: string) => scope }),
  ],
  'moves a scope to and fro': [
    'a scope that was written stays where it is',
    () => {
      let asked = 0
      return { placeOf: () => `${asked++}` }
    },
  ],
  'fails for a scope that was never written': [
    'answers for a scope that was never written, by a pull and by a batch that reads',
    ({ batch }) => {
      const written = new Set<string>()
      return {
        async batch(scope, statements) {
          if (!statements.every(({ reads }) => reads)) written.add(scope)
          if (!written.has(scope)) throw new StoreFault('transient', { message: 'no such database' })
          return batch(scope, statements)
        },
      }
    },
  ],
  'keeps what it rehearses': [
    'a rehearsal says which groups the database would take, in their order, and keeps nothing',
    ({ batch, rehearse }) => ({
      async rehearse(scope, rehearsal) {
        const told = await (rehearse as NonNullable<typeof rehearse>)(scope, rehearsal)
        await batch(scope, rehearsal.groups[0] ?? [])
        return told
      },
    }),
  ],
}

function changed(batch: Batch, change: (results: Cells[][]) => Cells[][]): Partial<Store> {
  return { batch: async (scope, statements) => change(await batch(scope, statements)) }
}

/** Of batches without migrations, which are applied before a check. */
function faulty(batch: Batch, change: (fault: StoreFault) => unknown): Partial<Store> {
  return {
    batch: (scope, statements) =>
      batch(scope, statements).catch((fault: StoreFault) => {
        throw scope === '' ? fault : change(fault)
      }),
  }
}

describe('the suite notices a store that', () => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openEmptyStore('libsql file')
  })
  afterAll(() => opened.close())

  it.each(Object.entries(bugs))('%s', async (_, [title, breaks]) => {
    const { store } = opened
    const { checks } = storeSuite(() => ({ store: { ...store, ...breaks(store) } }))
    const check = checks.find((one) => one.title.endsWith(title))
    await expect(check?.run()).rejects.toThrow()
    // The same check holds the good store.
    await storeSuite(() => ({ store }))
      .checks.find((one) => one.title.endsWith(title))
      ?.run()
  })

  it('counts a round trip too many', async () => {
    const { store } = opened
    let trips = 0
    const counted: Store = { ...store, batch: (scope, statements) => store.batch(scope, statements).finally(() => trips++) } // biome-ignore format: one line
    const twice: Store = { ...counted, batch: async (scope, all) => counted.batch(scope, all).then(() => counted.batch(scope, all.filter(({ reads }) => reads)).then(() => counted.batch(scope, []))) } // biome-ignore format: one line
    const run = (one: Store) =>
      storeSuite(() => ({ store: one, roundTrips: () => trips }))
        .checks.find(({ title }) => title.startsWith('runs two hundred'))
        ?.run()
    await run(counted)
    await expect(run(twice)).rejects.toThrow()
  })
})

it('opens the store once, says why it could not, and closes what was opened', async () => {
  const told: string[] = []
  const bad = storeSuite(async () => {
    told.push('opened')
    throw new Error('there is no such server')
  })
  for (const { run } of bad.checks.slice(0, 2)) await expect(run()).rejects.toThrow('there is no such server')
  await bad.close()
  const { store, close } = await openEmptyStore('libsql file')
  const good = storeSuite(async () => ({ store, close: async () => void told.push('closed') }))
  await good.checks[0]?.run()
  await good.close()
  await close()
  expect(told).toEqual(['opened', 'closed'])
  await storeSuite(() => ({ store })).close()
})

it('has a title of its own for each check', () => {
  const titles = storeSuite(() => Promise.reject(new Error('none'))).checks.map(({ title }) => title)
  expect(new Set(titles).size).toBe(titles.length)
  expect(titles.length).toBeGreaterThan(50)
})
