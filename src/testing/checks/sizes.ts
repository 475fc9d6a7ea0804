import { equal, fails, includes } from '../assert.ts'
import type { Checks } from '../check.ts'
import { del, patch, put, type SampleChange, sampleSync } from '../sample.ts'
import { pull } from './pages.ts'

const large = 'é'.repeat(400_000)

/** Large rows: what a page and an answer hold at the most. */
export const sizeChecks: Checks = {
  'ends a page early when its rows are large, one row at least, and hands out all of them': async ({
    store,
    someone,
  }) => {
    const sync = sampleSync(store)
    const who = someone()
    for (let n = 0; n < 8; n++)
      await sync.push(who, { client: 'a', changes: [put(`l${n}`, 0, large), put(`s${n}`, 0, 'small')] })
    const pages = await pull(sync, who, 1_000)
    const ids = pages.flatMap(({ changes }) => changes.map(({ id }) => id))
    equal([ids.length, new Set(ids).size], [16, 16])
    equal(pages.length > 1, true)
    for (const { changes } of pages) equal(JSON.stringify(changes).length < 5_000_000, true)
  },

  'P12 P13 refuses a push whose verdicts would repeat too many large rows, applies none of it, and takes it in parts':
    async ({ store, someone }) => {
      const sync = sampleSync(store)
      const who = someone()
      const ids = Array.from({ length: 20 }, (_, n) => `l${n}`)
      for (const id of ids) await sync.push(who, { client: 'b', changes: [put(id, 10, large)] })
      const push = (changes: SampleChange[], more = {}) => sync.push(who, { client: 'a', changes, ...more })
      const older = ids.map((id) => put(id, 0, 'older'))
      const patches = Array.from({ length: 3000 }, (_, n) => patch('l0', 20 + n, { done: true }))
      const overwritten = Array.from({ length: 30 }, (_, n) => patch('m', 20 + n, { done: true }))
      const tooLarge = { code: 'answer_too_large' }
      await fails(push([...older, put('new', 0, 'new')]), tooLarge)
      await fails(push(patches), tooLarge)
      await fails(push(patches, { atomic: true }), tooLarge)
      await fails(push([put('m', 0, large), ...overwritten]), tooLarge)
      includes((await push([del('none', 0)])).verdicts, [{ current: { position: ids.length + 1 } }])

      const half = await push(older.slice(10))
      includes(
        half.verdicts,
        older.slice(10).map(({ id }) => ({ verdict: 'stale', current: { id, row: { title: large } } })),
      )
      const some = await push(patches.slice(0, 9))
      equal(new Set(some.verdicts.map(({ verdict }) => verdict)), new Set(['applied']))
      const many = await push(Array.from({ length: 3000 }, (_, n) => put(`s${n}`, 0, 'small')))
      equal(new Set(many.verdicts.map(({ verdict }) => verdict)), new Set(['applied']))
    },
}
