import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createLineWriter } from '../../../src/runtime/node/lines.ts'

it('lines that come together are written together, in their order and none twice', async () => {
  const written: string[] = []
  const write = createLineWriter((text) => written.push(text))
  for (const line of ['a', 'b', 'c']) write(line)
  expect(written).toEqual([])
  await sleep(50)
  expect(written).toEqual(['a\nb\nc\n'])
  write('d')
  await sleep(50)
  expect(written).toEqual(['a\nb\nc\n', 'd\n'])
})

it('what is left is written when the process ends', () => {
  const before = process.listeners('exit')
  const written: string[] = []
  const write = createLineWriter((text) => written.push(text))
  const [flush] = process.listeners('exit').filter((listener) => !before.includes(listener))
  write('last')
  flush?.(0)
  flush?.(0)
  expect(written).toEqual(['last\n'])
})
