import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { createAuthenticate } from '../../src/http/auth.ts'
import { limits } from '../../src/model/limits.ts'
import { keyPair, makeToken } from '../programs/tokens/keys.ts'
import { schema } from '../support/schema.ts'
import { step, stepTheClock } from '../support/step-clock.ts'
import { openTestStore } from '../support/stores.ts'

const [second, minute, hour] = [1_000, 60_000, 3_600_000]
const [first, rotated] = [keyPair('ES256', 'first'), keyPair('ES256', 'rotated')]

/** What a key server may answer, good ones first. */
type Answer = 'keys' | 'rotated' | 'empty' | '500' | '302' | 'html' | 'a list' | 'cut' | 'silence'
const wrong = ['500', '302', 'html', 'a list', 'cut', 'silence'] as const satisfies Answer[]

stepTheClock()

describe('the keys of an issuer', () => {
  let server: Server
  let url: string
  let answer: Answer
  let asked: number
  let port = 0
  const listen = async () => {
    server = createServer((_, response) => {
      asked++
      const json = (value: unknown) => response.end(JSON.stringify(value))
      if (answer === 'keys') json({ keys: [first.jwk] })
      else if (answer === 'rotated') json({ keys: [rotated.jwk] })
      else if (answer === 'empty') json({ keys: [] })
      else if (answer === '500') response.writeHead(500).end('{"keys":[]}')
      else if (answer === '302') response.writeHead(302, { Location: '/elsewhere' }).end()
      else if (answer === 'html') response.end('<html>Under maintenance</html>')
      else if (answer === 'a list') json([first.jwk])
      else if (answer === 'cut') response.destroy()
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    ;({ port } = server.address() as AddressInfo)
    url = `http://127.0.0.1:${port}/keys.json`
  }
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  let logged: string[]
  beforeEach(async () => {
    ;[answer, asked, port, logged] = ['keys', 0, 0, []]
    vi.spyOn(console, 'error').mockImplementation((line: string) => void logged.push(line))
    await listen()
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await close()
  })

  let offset = 0
  beforeEach(() => {
    offset = 0
  })
  const later = (ms: number) => {
    offset += ms
    step(offset)
  }
  let subjects = 0
  /** Another token each time: one that was seen is not verified again. */
  const tokenBy = (pair: typeof first) =>
    `Bearer ${makeToken(pair, { sub: `s${subjects++}`, exp: Date.now() / 1000 + 60 })}`
  const unavailable = { name: 'Problem', code: 'keys_unavailable', headers: { 'Retry-After': expect.any(String) } }
  const unauthorized = { name: 'Problem', code: 'unauthorized' }

  it('are asked for once, and again after ten minutes', async () => {
    const authenticate = createAuthenticate({ jwksUrl: url })
    for (let n = 0; n < 5; n++) await authenticate(tokenBy(first))
    later(9 * minute)
    await authenticate(tokenBy(first))
    expect(asked).toBe(1)
    later(minute)
    for (let n = 0; n < 5; n++) await authenticate(tokenBy(first))
    expect(asked).toBe(2)
  })

  it('P13 go on being good for a day while their set cannot be had, whatever its server answers, and not longer', async () => {
    for (const kind of wrong.filter((one) => one !== 'silence')) {
      ;[answer, asked, offset] = ['keys', 0, 0]
      step(0)
      const authenticate = createAuthenticate({ jwksUrl: url })
      await authenticate(tokenBy(first))
      answer = kind
      for (const ms of [10 * minute, hour, 22 * hour, hour - 11 * minute + minute - second]) {
        later(ms)
        expect((await authenticate(tokenBy(first))).expiresAt, kind).toBeGreaterThan(0)
      }
      // One try a time, not one a token: whoever is away is not asked by everybody.
      for (let n = 0; n < 20; n++) await authenticate(tokenBy(first))
      expect(asked).toBe(5)
      later(second)
      await expect(authenticate(tokenBy(first)), kind).rejects.toMatchObject(unavailable)
      answer = 'keys'
      expect((await authenticate(tokenBy(first))).scopes.size, kind).toBe(1)
    }
    expect(limits.keysKeptMsMax).toBe(24 * hour)
  })

  it('P13 go on being good while their server is gone, which the log says once, and its return', async () => {
    const authenticate = createAuthenticate({ jwksUrl: url })
    await authenticate(tokenBy(first))
    await close()
    for (let n = 0; n < 3; n++) {
      later(11 * minute)
      await authenticate(tokenBy(first))
    }
    const told = () => logged.map((line) => JSON.parse(line))
    expect(told()).toMatchObject([
      { level: 'error', where: 'key set of the issuer', fault: expect.stringMatching(/^(ECONN|UND_ERR)/) },
    ])
    await listen()
    await authenticate(tokenBy(first))
    expect(asked).toBe(1)
    later(31 * second)
    await authenticate(tokenBy(first))
    expect(asked).toBe(2)
    expect(told()).toMatchObject([{ level: 'error' }, { level: 'info', where: 'key set of the issuer' }])
    expect(logged.join()).not.toContain('127.0.0.1')
  })

  it('P13 a slow server holds up one token, and no others', async () => {
    const authenticate = createAuthenticate({ jwksUrl: url })
    await authenticate(tokenBy(first))
    answer = 'silence'
    later(11 * minute)
    let held = true
    const one = authenticate(tokenBy(first)).then(() => {
      held = false
    })
    for (let n = 0; n < 5; n++) await authenticate(tokenBy(first))
    expect([held, asked]).toEqual([true, 2])
    await close()
    await one
    await listen()
  })

  it('P13 a token by a new key is taken once the issuer publishes it, and while that cannot be told gets no 401', async () => {
    const authenticate = createAuthenticate({ jwksUrl: url })
    await authenticate(tokenBy(first))
    later(31 * second)
    answer = '500'
    await expect(authenticate(tokenBy(rotated))).rejects.toMatchObject(unavailable)
    await expect(authenticate(tokenBy(rotated))).rejects.toMatchObject(unavailable)
    expect(asked).toBe(2)
    await authenticate(tokenBy(first))
    answer = 'rotated'
    later(31 * second)
    expect(await Promise.all([0, 1, 2].map(() => authenticate(tokenBy(rotated))))).toHaveLength(3)
    expect(asked).toBe(3)
    // What the issuer has taken back is no longer good, and nobody makes it be asked for all the
    // time.
    for (let n = 0; n < 5; n++) await expect(authenticate(tokenBy(first))).rejects.toMatchObject(unauthorized)
    expect(asked).toBe(3)
    later(11 * minute)
    answer = 'empty'
    await expect(authenticate(tokenBy(rotated))).rejects.toMatchObject(unauthorized)
  })

  it.each(wrong)('P13 at a cold start answer 503 and not 401, where the server answers %s', async (kind) => {
    answer = kind
    const authenticate = createAuthenticate({ jwksUrl: url })
    await expect(authenticate(tokenBy(first))).rejects.toMatchObject(unavailable)
    answer = 'keys'
    expect((await authenticate(tokenBy(first))).scopes.size).toBe(1)
  })

  it('say so in the 503, which names no database, and /health goes on', async () => {
    answer = '500'
    const opened = await openTestStore('libsql file')
    const app = createApp({ schema, store: opened.store, auth: { jwksUrl: url } })
    const refused = await app.request('/v1/pull', { headers: { Authorization: tokenBy(first) } })
    const text = await refused.text()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
    expect(JSON.parse(text)).toMatchObject({
      code: 'keys_unavailable',
      title: 'The keys of the issuer cannot be fetched',
      retryable: true,
    })
    expect(text).not.toMatch(/database|127\.0\.0\.1/i)
    expect((await app.request('/health')).status).toBe(200)
    await opened.close()
  })

  it('come encrypted or from this machine', () => {
    for (const jwksUrl of [
      'https://issuer.example/keys',
      'http://localhost:1/',
      'http://127.9.9.9/',
      'http://[::1]:1/k',
    ]) {
      expect(() => createAuthenticate({ jwksUrl })).not.toThrow()
    }
    for (const jwksUrl of [
      ...['http://issuer.example/keys', 'http://localhost.evil.example/', 'http://127.0.0.1.evil.example/'],
      ...['http://10.0.0.1/', 'http://0.0.0.0/', 'file:///keys.json', 'ftp://x.example', 'x', '', '//x.example'],
      ...['https://user:password@issuer.example/', 'data:application/json,{}'],
    ]) {
      expect(() => createAuthenticate({ jwksUrl }), jwksUrl).toThrow(/jwksUrl must/)
    }
  })
})
