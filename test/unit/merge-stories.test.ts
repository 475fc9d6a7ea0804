import { describe, expect, it } from 'vitest'
import { createMergeReference } from '../support/merge-reference.ts'
import { mergeStories } from '../support/merge-stories.ts'
import { mergeTables } from '../support/merge-tables.ts'

describe('the reference of columns that merge: small histories and what they end with', () => {
  it.each(mergeStories)('$title', ({ table, lines, ends }) => {
    const reference = createMergeReference(mergeTables)
    for (const { by, change, expected } of lines) {
      const verdict = reference.apply({ table, id: 'a', ...change }, by, '2026-11-21T03:00:00.000Z')
      expect(verdict, JSON.stringify(change)).toEqual(expected)
    }
    if (ends) expect(reference.rows()[0]?.row).toMatchObject(ends)
    else expect(reference.rows()[0]?.row).toBe(undefined)
  })
})
