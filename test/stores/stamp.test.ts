import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareStamps, judge, type Stamp } from '../../src/model/stamp.ts'
import { createDatabase, openTestStore, type TestStore } from '../support/stores.ts'

const at = [946_684_800_000_000, 1_795_226_400_000_000, 1_795_226_400_000_001, 9_007_199_254_740_991]
const by = [
  '-',
  '0',
  '9',
  'A',
  'Z',
  '_',
  'a',
  'aa',
  'a-',
  'a_',
  'aB',
  'b',
  'phone-10',
  'phone-2',
  'Phone-2',
  'phone_2',
  'z'.repeat(64),
]
const stamps: Stamp[] = at.flatMap((one) => by.map((who) => ({ at: one, by: who })))

describe('the order of stamps', () => {
  let libsql: TestStore
  let postgres: pg.Client
  beforeAll(async () => {
    libsql = await openTestStore('libsql file')
    postgres = new pg.Client({ connectionString: await createDatabase() })
    await postgres.connect()
  })
  afterAll(async () => {
    await libsql.close()
    await postgres.end()
  })

  const pairs = JSON.stringify(stamps.flatMap((a) => stamps.map((b) => [a.at, a.by, b.at, b.by])))
  const inJs = stamps.flatMap((a) => stamps.map((b) => Math.sign(compareStamps(a, b))))

  it('P6 is the same in JavaScript and in SQLite, for every pair of awkward stamps', async () => {
    const sql = `SELECT CASE WHEN (value ->> 0, value ->> 1) < (value ->> 2, value ->> 3) THEN -1 WHEN (value ->> 0, value ->> 1) = (value ->> 2, value ->> 3) THEN 0 ELSE 1 END FROM json_each(?1) ORDER BY key`
    const [rows] = await libsql.store.batch('', [{ sql, params: [pairs] }])
    expect(rows?.map(([order]) => order)).toEqual(inJs)
  })

  it('P6 is the same in JavaScript and in Postgres, for every pair of awkward stamps', async () => {
    await postgres.query('CREATE TABLE stamps (n int, a bigint, b text COLLATE "C", c bigint, d text COLLATE "C")')
    await postgres.query(
      `INSERT INTO stamps SELECT n, (v ->> 0)::bigint, v ->> 1, (v ->> 2)::bigint, v ->> 3 FROM json_array_elements($1::json) WITH ORDINALITY AS x (v, n)`,
      [pairs],
    )
    const { rows } = await postgres.query(
      'SELECT CASE WHEN (a, b) < (c, d) THEN -1 WHEN (a, b) = (c, d) THEN 0 ELSE 1 END AS o FROM stamps ORDER BY n',
    )
    expect(rows.map(({ o }) => o)).toEqual(inJs)
  })

  it('P6 is total: antisymmetric, and sorting by it is stable whatever the order before', () => {
    for (const a of stamps) for (const b of stamps) expect(compareStamps(a, b) + compareStamps(b, a)).toBe(0)
    expect(stamps.toReversed().sort(compareStamps)).toEqual(stamps.toSorted(compareStamps))
  })
})

describe('judge', () => {
  const stored = { at: 5, by: 'm', deleted: false }
  const tombstone = { ...stored, deleted: true }
  const cases = [
    ['put', undefined, 1, 'a', { verdict: 'applied', action: 'inserted' }],
    ['put', stored, 6, 'a', { verdict: 'applied', action: 'updated' }],
    ['put', stored, 5, 'n', { verdict: 'applied', action: 'updated' }],
    ['put', stored, 5, 'm', { verdict: 'duplicate' }],
    ['put', stored, 5, 'l', { verdict: 'stale' }],
    ['put', tombstone, 6, 'a', { verdict: 'applied', action: 'updated' }],
    ['delete', undefined, 1, 'a', { verdict: 'applied', action: 'deleted' }],
    ['delete', tombstone, 5, 'm', { verdict: 'duplicate' }],
    ['delete', stored, 4, 'z', { verdict: 'stale' }],
    ['patch', stored, 6, 'a', { verdict: 'applied', action: 'updated' }],
    ['patch', stored, 5, 'm', { verdict: 'duplicate' }],
    ['patch', stored, 4, 'z', { verdict: 'stale' }],
    ['patch', tombstone, 5, 'm', { verdict: 'stale' }],
    ['patch', tombstone, 4, 'z', { verdict: 'stale' }],
    ['patch', tombstone, 6, 'a', { verdict: 'rejected', error: { code: 'row_missing' } }],
    ['patch', undefined, 6, 'a', { verdict: 'rejected', error: { code: 'row_missing' } }],
  ] as const
  it.each(cases)('a %s on %j at %d by %s', (op, state, when, who, expected) => {
    expect(judge(state, op, { at: when, by: who })).toMatchObject(expected)
  })
})
