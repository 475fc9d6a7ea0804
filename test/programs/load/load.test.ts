import { describe, expect, it } from 'vitest'
import type { RowState } from '../../../src/model/stamp.ts'
import { openStore } from '../../../src/stores/open.ts'
import { createDatabase, temporaryFolder } from '../../support/stores.ts'
import { acknowledge, findBreaches, leaveOpen, newLedger } from './ledger.ts'
import { growthOf } from './memory.ts'
import { phaseNames } from './play.ts'
import { figuresOf } from './report.ts'
import { loadStore } from './store.ts'

describe.concurrent('the load', () => {
  it.each(['libsql', 'postgres'])('P1 P2 P3 loses nothing on %s, and errs nowhere', async (name) => {
    const { folder, drop } = await temporaryFolder()
    const databaseUrl = name === 'postgres' ? await createDatabase() : `file:${folder}/a.db`
    const outcome = await loadStore({ databaseUrl, seed: 1, seconds: 0.3, users: 4 })
    await drop()
    const { errors, breaches, rows, played } = outcome
    expect({ errors, breaches }).toEqual({ errors: [], breaches: [] })
    expect(rows).toBeGreaterThan(5 * 200)
    for (const phase of phaseNames) {
      const syncs = played.seen[phase].flatMap(({ eager, paced }) => [...eager, ...paced])
      expect(syncs.length, phase).toBeGreaterThan(0)
    }
    for (const figure of figuresOf(name, outcome)) expect(figure.ratios[0], figure.name).toBeGreaterThan(0)
  })

  it('notices a row that is lost, one that is older, one that nobody sent and one with the values of another', async () => {
    const { folder, drop } = await temporaryFolder()
    const spoil = async (url: string) => {
      const store = await openStore(url)
      const spoils = [
        `DELETE FROM todos WHERE scope = 'user1' AND id = 'kept-1'`,
        `UPDATE todos SET updated_at = updated_at - 1 WHERE scope = 'user2' AND id = 'kept-2'`,
        `UPDATE todos SET id = 'strange' WHERE scope = 'user3' AND id = 'kept-3'`,
        `UPDATE todos SET notes = 'of another' WHERE scope = 'team' AND id = 'kept-4'`,
        `UPDATE todos SET scope = 'nobody' WHERE scope = 'user5' AND id = 'kept-5'`,
      ]
      await store.batch(
        '',
        spoils.map((sql) => ({ sql, params: [] })),
      )
      await store.close()
    }
    const { breaches } = await loadStore({ databaseUrl: `file:${folder}/a.db`, seed: 1, seconds: 0.1, users: 6, spoil })
    await drop()
    const text = breaches.join('\n')
    for (const view of ['a bootstrap', 'the database']) {
      expect(text).toMatch(new RegExp(`${view}: kept-1 of user1 was acknowledged with .* and is missing`))
      expect(text).toMatch(new RegExp(`${view}: kept-2 of user2 is there as the row of .*, and the row of .* was ack`))
      expect(text).toMatch(new RegExp(`${view}: strange of user3 is there as .*, and nothing was sent`))
    }
    expect(text).toMatch(/a bootstrap: kept-4 of \d+ of team-\d+ says of another/)
    expect(text).toMatch(/the database: \d+ rows, of which \d+ are of scopes that were written/)
    expect(breaches).toHaveLength(13)
  })
})

describe('the ledger of what was acknowledged', () => {
  const [first, second]: RowState[] = [1, 2].map((at) => ({ at, by: 'a', deleted: false }))
  const [gone, later]: RowState[] = [2, 3].map((at) => ({ at, by: 'a', deleted: true }))
  const breachesOf = (known: RowState, open: RowState | undefined, seen: RowState | undefined, tombstones = true) => {
    const ledger = newLedger('s')
    acknowledge(ledger, 'x', known)
    if (open) leaveOpen(ledger, 'x', open)
    return findBreaches(ledger, new Map(seen && [['x', seen]]), tombstones).length
  }

  it('takes the greatest that was acknowledged, or a greater one that was sent and not answered', () => {
    expect([second, first, gone, undefined].map((seen) => breachesOf(second!, undefined, seen))).toEqual([0, 1, 1, 1])
    expect([second, later, first, gone].map((seen) => breachesOf(second!, later, seen))).toEqual([0, 0, 1, 1])
    expect(breachesOf(second!, first, first)).toBe(1)
  })

  it('a view without tombstones lacks what was deleted and nothing else', () => {
    expect([undefined, first, gone].map((seen) => breachesOf(gone!, undefined, seen, false))).toEqual([0, 1, 0])
    expect([undefined, second].map((seen) => breachesOf(second!, later, seen, false))).toEqual([0, 0])
    expect(breachesOf(gone!, undefined, undefined)).toBe(1)
  })
})

it('growth is that of the second half, and no peak counts', () => {
  const samples = (mb: (n: number) => number) => Array.from({ length: 101 }, (_, n) => ({ ms: n, mb: mb(n) }))
  expect(
    growthOf(
      samples((n) => (n < 50 ? n : 100)),
      10,
    ),
  ).toMatchObject({ beginMb: 100, endMb: 100, ratio: 0 })
  expect(
    growthOf(
      samples((n) => (n === 55 || n === 95 ? 900 : 100)),
      10,
    ),
  ).toMatchObject({ peakMb: 900, ratio: 0 })
  expect(
    growthOf(
      samples((n) => 100 + n),
      10,
    ).ratio,
  ).toBeCloseTo(0.26, 1)
})
