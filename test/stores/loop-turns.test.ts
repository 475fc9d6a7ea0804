import { expect, it } from 'vitest'
import { createLoopTurns } from '../../src/stores/libsql/loop-turns.ts'

it('many that wait for a turn get one each, and whatever else waits for the loop comes between them', async () => {
  const turns = createLoopTurns(0)
  const order: string[] = []
  const work = async (n: number) => {
    await turns.ready()
    turns.run(() => {
      // Longer than any clock's grain.
      for (const until = performance.now() + 1; performance.now() < until; );
      order.push(`read ${n}`)
    })
  }
  turns.run(() => order.push('first'))
  const reads = Promise.all(Array.from({ length: 5 }, (_, n) => work(n)))
  let going = true
  const other = (async () => {
    while (going) {
      await new Promise((resolve) => setImmediate(resolve))
      order.push('other')
    }
  })()
  await reads
  going = false
  await other
  const between = order.join(', ')
  for (let n = 1; n < 5; n++) expect(between).toMatch(new RegExp(`read ${n - 1}(, other)+, read ${n}`))
})
