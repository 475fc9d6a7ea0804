import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createHub, type Session } from '../../../src/live/hub.ts'
import { throttle } from '../../../src/live/throttle.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('throttle', () => {
  it('passes the first on at once, and then the greatest once in a moment, scope by scope', () => {
    const passed: string[] = []
    const poke = throttle(50, (scope, position) => passed.push(`${scope}${position}`))
    poke('a', 1)
    poke('b', 1)
    expect(passed).toEqual(['a1', 'b1'])
    for (const position of [2, 4, 3]) poke('a', position)
    expect(passed).toHaveLength(2)
    vi.advanceTimersByTime(50)
    expect(passed).toEqual(['a1', 'b1', 'a4'])
    poke('a', 5)
    vi.advanceTimersByTime(49)
    expect(passed).toHaveLength(3)
    vi.advanceTimersByTime(1)
    expect(passed.at(-1)).toBe('a5')
    vi.advanceTimersByTime(50)
    expect(vi.getTimerCount()).toBe(0)
    // A scope that was put back to an earlier position is told of it.
    poke('a', 1)
    expect(passed.at(-1)).toBe('a1')
  })
})

describe('the hub', () => {
  const session = (expiresAt: number, scopes = ['a'], subject = 's') => {
    const log: string[] = []
    const made: Session = {
      listener: { subject, scopes, expiresAt },
      send: (poke) => log.push(poke),
      ping: () => log.push('ping'),
      close: ({ code }) => {
        log.push(`close ${code}`)
        hub.leave(made)
      },
    }
    hub.admit(made.listener)
    hub.join(made)
    return { log, made }
  }
  let hub = createHub()
  beforeEach(() => {
    hub = createHub()
  })

  it('closes a session when its token expires, not before, also one that lives longer than a timer can', () => {
    const days = 24 * 3_600_000
    const soon = session(Date.now() + 60_000)
    const far = session(Date.now() + 60 * days)
    vi.advanceTimersByTime(59_000)
    expect(soon.log).not.toContain('close 4401')
    vi.advanceTimersByTime(1_000)
    expect(soon.log.at(-1)).toBe('close 4401')
    vi.advanceTimersByTime(10 * 60_000)
    expect(far.log.every((entry) => entry === 'ping')).toBe(true)
    vi.setSystemTime(Date.now() + 60 * days)
    vi.advanceTimersByTime(1_000)
    expect(far.log.at(-1)).toBe('close 4401')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('pings every session once in 30 seconds, and tells an expired one nothing', () => {
    const sessions = Array.from({ length: 60 }, () => session(Date.now() + 61_000))
    vi.advanceTimersByTime(60_000)
    for (const { log } of sessions) expect(log).toEqual(['ping', 'ping'])
    vi.setSystemTime(Date.now() + 2_000)
    hub.poke('a', 1)
    for (const { log } of sessions) expect(log).toHaveLength(2)
  })

  it('counts sessions by subject up to the limit, and forgets who has gone', () => {
    hub = createHub(2)
    const far = Date.now() + 1e9
    const one = session(far)
    session(far)
    expect(() => session(far)).toThrow(expect.objectContaining({ code: 'too_many_sockets' }))
    session(far, ['a'], 'other')
    hub.leave(one.made)
    hub.leave(one.made)
    session(far)
    expect(() => session(far)).toThrow(expect.objectContaining({ code: 'too_many_sockets' }))
    hub.close()
    expect(hub.has('a')).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })
})
