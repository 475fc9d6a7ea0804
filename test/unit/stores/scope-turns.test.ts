import { expect, it } from 'vitest'
import { createScopeTurns } from '../../../src/stores/postgres/scope-turns.ts'

it('so many at once of each scope, the others in the order of asking', async () => {
  const turns = createScopeTurns(2, 1_000)
  const taken: string[] = []
  const take = async (name: string, scope = 'a') => {
    const end = await turns.take(scope)
    taken.push(name)
    return end
  }
  const [first, second, third, fourth] = [take('1'), take('2'), take('3'), take('4')]
  await take('b', 'b')
  expect(taken).toEqual(['1', '2', 'b'])
  ;(await second)()
  await third
  ;(await first)()
  await fourth
  expect(taken).toEqual(['1', '2', 'b', '3', '4'])
})

it('P13 whoever waits too long fails in passing, and takes no turn from those behind', async () => {
  const turns = createScopeTurns(1, 20)
  const end = await turns.take('a')
  await expect(turns.take('a')).rejects.toMatchObject({ name: 'StoreFault', kind: 'transient' })
  const next = turns.take('a')
  end()
  ;(await next)()
  ;(await turns.take('a'))()
})
