import fc from 'fast-check'
import { expect, it } from 'vitest'
import { rejection } from '../src/errors.ts'
import { schema } from '../src/schema.ts'
import { sift } from '../src/sift.ts'
import type { Change } from '../src/sync/change.ts'

const [table] = schema.tables
if (!table) throw new Error('the sample has tables')
const refusal = rejection('constraint', 'refused')

/** A database that refuses some changes for what they are, and counts the rows that it is tried with. */
function refusing(isBad: (some: readonly Change[]) => boolean) {
  const cost = { probes: 0, rows: 0 }
  const probe = async (some: readonly Change[]) => {
    cost.probes++
    cost.rows += some.length
    return isBad(some) ? refusal : undefined
  }
  return { cost, probe }
}

const changesOf = (count: number): Change[] =>
  Array.from({ length: count }, (_, index) => ({
    index,
    scope: undefined,
    table,
    op: 'put',
    id: `id${index}`,
    at: 1_000_000 + ((index * 7919) % count),
    values: [],
  }))

it('P12 finds exactly the bad changes, wherever they stand', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 60 }), async (bad) => {
      const { probe } = refusing((some) => some.some(({ index }) => bad[index]))
      const found = await sift(changesOf(bad.length), probe)
      expect([...found.keys()].sort((a, b) => a - b)).toEqual(bad.flatMap((is, index) => (is ? [index] : [])))
    }),
  )
})

it('P12 of changes that exclude each other takes the one of the least stamp', async () => {
  const changes = changesOf(100)
  const { probe } = refusing((some) => some.filter(({ index }) => index % 10 === 3).length > 1)
  const found = await sift(changes, probe)
  const rivals = changes.filter(({ index }) => index % 10 === 3).sort((a, b) => a.at - b.at)
  expect([...found.keys()].sort((a, b) => a - b)).toEqual(
    rivals
      .slice(1)
      .map(({ index }) => index)
      .sort((a, b) => a - b),
  )
})

it('costs little more for a hundred bad changes among five thousand than for a few', async () => {
  const { probe, cost } = refusing((some) => some.some(({ index }) => index % 50 === 7))
  expect((await sift(changesOf(5_000), probe)).size).toBe(100)
  expect(cost.rows).toBeLessThan(5_000 * 25)
  expect(cost.probes).toBeLessThan(100 * 25)
})
