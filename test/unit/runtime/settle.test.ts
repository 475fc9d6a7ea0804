import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { settle } from '../../../src/runtime/node/settle.ts'
import { collectGarbage } from '../../../src/stores/libsql/release-closed.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

it('a server gives back what starting took once, in the first second without a request', () => {
  let [requests, collected] = [0, 0]
  settle(
    () => requests,
    1_000,
    () => collected++,
  )
  for (const asked of [3, 1, 2]) {
    requests += asked
    vi.advanceTimersByTime(1_000)
    expect(collected).toBe(0)
  }
  vi.advanceTimersByTime(1_000)
  expect(collected).toBe(1)
  vi.advanceTimersByTime(60_000)
  expect([collected, vi.getTimerCount()]).toEqual([1, 0])
})

it.each(['Bun', 'Deno'])('%s looks after that itself', (runtime) => {
  vi.stubGlobal(runtime, {})
  settle(() => 0)
  expect(vi.getTimerCount()).toBe(0)
  vi.unstubAllGlobals()
})

it('what nobody holds is collected', () => {
  const held = new WeakRef({ large: new Array(1_000) })
  return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
    collectGarbage('last-resort')
    expect(held.deref()).toBeUndefined()
  })
})
