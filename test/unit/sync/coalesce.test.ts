import { expect, it } from 'vitest'
import { type Change, decodeChange } from '../../../src/model/change.ts'
import { coalesce } from '../../../src/sync/push/coalesce.ts'
import { schema } from '../../support/schema.ts'

/** Changes of a webhook as they come, those without `at` in the order of the list. */
function decode(...inputs: object[]): Change[] {
  return inputs.map((input, index) => {
    const context = { schema, now: 1.8e15, clockDriftMsMax: 0, measure: false, stampless: true }
    const { change } = decodeChange({ table: 'lists', id: 'a', ...input }, index, context)
    if (!change) throw new Error('must decode')
    return change
  })
}

it('changes of a row without a stamp are one write, which holds what the last of them says', () => {
  const put = { op: 'put', row: { name: 'one' } }
  const patch = { op: 'patch', row: { name: 'two' } }
  const folded = (...inputs: object[]) =>
    coalesce([decode(...inputs)]).map((rows) =>
      rows.map(({ stampless, base, patch }) => [stampless, base?.op, base?.values, patch?.columns.size]),
    )
  expect(folded(put, patch)).toEqual([[[true, 'put', ['two'], undefined]]])
  expect(folded(patch, put)).toEqual([[[true, 'put', ['one'], undefined]]])
  expect(folded(patch)).toEqual([[[true, undefined, undefined, 1]]])
  // A tombstone keeps no value: the patch finds no row.
  expect(folded(put, { op: 'delete' }, patch)).toEqual([[[true, 'delete', [null], undefined]]])
  // Those with stamps come before, by themselves.
  expect(folded(patch, { ...put, at: 1.7e15 })).toEqual([
    [[false, 'put', ['one'], undefined]],
    [[true, undefined, undefined, 1]],
  ])
})
