import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Change } from '../../../src/model/change.ts'
import { compareStamps, judgeInTurn, type RowState } from '../../../src/model/stamp.ts'
import { coalesce } from '../../../src/sync/push/coalesce.ts'
import { type Forecast, forecast, letterToOutcome } from '../../../src/sync/push/inbox/inbox.ts'
import { schema } from '../../support/schema.ts'

const [table] = schema.tables as [(typeof schema.tables)[number]]

/** The letter that a stored state picks: what `claim` in sql/table-sql.ts says in SQL. */
function pick({ at, baseAt, letters }: Forecast, state: RowState | undefined, by: string): string | undefined {
  if (!state) return letters[1]
  const order = compareStamps(state, { at, by })
  if (order > 0) return 's'
  if (order === 0) return state.deleted ? letters[4] : '='
  if (baseAt !== null && compareStamps(state, { at: baseAt, by }) < 0) return letters[0]
  return state.deleted ? letters[2] : letters[3]
}

it('P12 a forecast gives each change the verdict that it would get one by one, whatever is stored', () => {
  const change = fc.record({ op: fc.constantFrom('put', 'patch', 'delete'), at: fc.integer({ min: 1, max: 4 }) })
  const state = fc.option(
    fc.record({ at: fc.integer({ min: 0, max: 5 }), by: fc.constantFrom('a', 'crm', 'z'), deleted: fc.boolean() }),
    { nil: undefined },
  )
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), state, (list, stored) => {
      const changes = list.map(
        ({ op, at }, index): Change => ({ index, op, at, id: 'a', table, scope: 'alice', values: [] }),
      )
      const sorted = changes.toSorted((a, b) => a.at - b.at || a.index - b.index)
      const expected: unknown[] = []
      for (const [place, outcome] of judgeInTurn(stored, sorted, 'crm').entries())
        expected[sorted[place]?.index ?? 0] = outcome
      const forecasts = forecast(coalesce([changes])).get(table) ?? []
      expect(forecasts.map(({ index }) => index)).toEqual(changes.map(({ index }) => index))
      expect(forecasts.map((one) => letterToOutcome(pick(one, stored, 'crm') ?? ''))).toEqual(expected)
    }),
    { numRuns: 5_000 },
  )
})

it('knows no other letter', () => {
  expect(() => letterToOutcome('y')).toThrow(TypeError)
})
