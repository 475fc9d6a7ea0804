import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket as WsSocket } from 'ws'
import { clients, type Listening, listenBySocket, put, quiet, tokenOf } from '../support/live.ts'
import { request } from '../support/server.ts'

export interface Live {
  readonly url: string
  /** False: that a stream's reader is gone is only seen by pings, within a minute. */
  readonly seesStreamsGo: boolean
  /** What was logged so far. */
  logs(): string
  close(): Promise<void>
}

/** What live connections promise wherever they are served. `start` is given the settings. */
export function describeLive(runtime: string, start: (settings: Record<string, string>) => Promise<Live>): void {
  describe(`live connections to ${runtime}`, () => {
    let server: Live
    beforeAll(async () => {
      server = await start({ CORS_ORIGINS: 'https://app.example', LIVE_SOCKETS_MAX: '5' })
    })
    afterAll(() => server.close())
    const ask = (method: string, path: string, options: object = {}) => request(server.url, method, path, options)
    const push = (changes: object[], options: object = {}) =>
      ask('POST', '/v1/push', { body: { client: 'a', changes }, ...options })

    describe.each(Object.entries(clients))('by %s', (name, listen) => {
      const user = (who: string) => `${who}-${name.length}`

      it('P11 tells every principal of a scope of its commits, a foreign one of nothing, and never of a row', async () => {
        const [alice, bob, team] = [user('alice'), user('bob'), user('team')]
        const listeners = await Promise.all([
          listen(server.url, { sub: alice, scopes: [team] }),
          listen(server.url, { sub: bob, scopes: [{ id: team, access: 'read' }] }),
          listen(server.url, { sub: user('carol') }),
        ])
        const [one, two, foreign] = listeners as [Listening, Listening, Listening]
        await push([put('1', { row: { title: 'canary-row' } })], { sub: alice })
        await push([put('2', { scope: team }), put('3', { scope: team })], { sub: alice, scopes: [team] })
        await one.reached(alice, 1)
        await one.reached(team, 2)
        await two.reached(team, 2)
        await quiet()
        expect(one.pokes).toEqual([
          { scope: alice, position: 1 },
          { scope: team, position: 2 },
        ])
        expect(two.received).toEqual([`{"scope":"${team}","position":2}`])
        expect(foreign.received).toEqual([])
        for (const listener of listeners) listener.close()
      })

      it('is told of the scopes that were asked for only', async () => {
        const [dave, news] = [user('dave'), user('news')]
        const listener = await listen(server.url, { sub: dave, scopes: [news], query: `?scope=${news}` })
        await push([put('1')], { sub: dave })
        await push([put('1', { scope: news })], { sub: dave, scopes: [news] })
        await listener.reached(news, 1)
        expect(listener.pokes).toEqual([{ scope: news, position: 1 }])
        listener.close()
      })

      it('P11 is told what its own token grants, not what another of the same subject does', async () => {
        const [mallory, board] = [user('mallory'), user('board')]
        const granted = await listen(server.url, { sub: mallory, scopes: [board] })
        const not = await listen(server.url, { sub: mallory })
        await push([put('1', { scope: board })], { sub: mallory, scopes: [board] })
        await granted.reached(board, 1)
        await push([put('1')], { sub: mallory })
        await not.reached(mallory, 1)
        expect(not.pokes).toEqual([{ scope: mallory, position: 1 }])
        for (const listener of [granted, not]) listener.close()
      })

      it('is told nothing of changes that were duplicate, stale or rejected', async () => {
        const erin = user('erin')
        const change = put('1')
        await push([change], { sub: erin })
        const listener = await listen(server.url, { sub: erin })
        await push([change], { sub: erin })
        await push([{ ...change, at: change.at - 1 }], { sub: erin })
        await push([put('2', { op: 'patch' }), put('3', { table: 'none' })], { sub: erin })
        await quiet()
        expect(listener.received).toEqual([])
        listener.close()
      })

      it('P15 makes many pokes of a moment one, and the last one tells the final position', async () => {
        const frank = user('frank')
        const listener = await listen(server.url, { sub: frank })
        const began = Date.now()
        await Promise.all(Array.from({ length: 200 }, (_, n) => push([put(`${n}`)], { sub: frank })))
        const moments = Math.ceil((Date.now() - began) / 50)
        await listener.reached(frank, 200)
        await quiet()
        expect(listener.pokes.at(-1)).toEqual({ scope: frank, position: 200 })
        expect(listener.pokes.length).toBeLessThanOrEqual(moments + 2)
        expect(listener.pokes.length).toBeLessThan(100)
        listener.close()
      })

      it('closes with 4401 when the token expires, and takes no expired one', async () => {
        const grace = user('grace')
        const listener = await listen(server.url, { sub: grace, seconds: 2 })
        const later = await listen(server.url, { sub: grace, seconds: 90 * 24 * 3_600 })
        expect(await listener.closed).toMatchObject({ code: 4401, reason: expect.stringMatching(/expired/) })
        await push([put('1')], { sub: grace })
        await later.reached(grace, 1)
        expect(listener.received).toEqual([])
        later.close()
        await expect(listen(server.url, { sub: grace, seconds: -1 })).rejects.toThrow('does not open')
      })

      it('opens no more than the setting allows a principal, and one again when one has gone', async () => {
        const heidi = user('heidi')
        const open = () => listen(server.url, { sub: heidi })
        const opened = await Promise.all(Array.from({ length: 5 }, open))
        await expect(open()).rejects.toThrow('does not open')
        await listen(server.url, { sub: user('ivan') }).then((other) => other.close())
        opened[0]?.close()
        const deadline = Date.now() + 5_000
        let again: Listening | undefined
        const isSeen = server.seesStreamsGo || listen === listenBySocket
        while (isSeen && !again && Date.now() < deadline) again = await open().catch(() => undefined)
        expect(again !== undefined).toBe(isSeen)
        for (const listener of [...opened, again]) listener?.close()
      })

      it('P15 converges by a pull alone when every poke was lost', async () => {
        const judy = user('judy')
        const deaf = await listen(server.url, { sub: judy })
        deaf.close()
        await push([put('1'), put('2')], { sub: judy })
        const pulled = await ask('GET', '/v1/pull', { sub: judy })
        expect(pulled.json.changes.map(({ id }: { id: string }) => id)).toEqual(['1', '2'])
      })
    })

    const asEvents = { Accept: 'text/event-stream' }
    const refusals: [string, string, object, number, string][] = [
      ['no transport', '/v1/live', {}, 426, 'upgrade_required'],
      ['a token in the URL', '/v1/live?token=x', { headers: asEvents }, 400, 'malformed'],
      ['a token as a name', '/v1/live?eyJhbGciOi', { headers: asEvents }, 400, 'malformed'],
      ['no token', '/v1/live', { headers: { ...asEvents, Authorization: '' } }, 401, 'unauthorized'],
      ['a wrong token', '/v1/live', { headers: { ...asEvents, Authorization: 'Bearer x.y.z' } }, 401, 'unauthorized'],
      [
        'a foreign page',
        '/v1/live',
        { headers: { ...asEvents, Origin: 'https://x.example' } },
        403,
        'forbidden_origin',
      ],
      ['a page of null', '/v1/live', { headers: { ...asEvents, Origin: 'null' } }, 403, 'forbidden_origin'],
      ['a foreign scope', '/v1/live?scope=bob', { headers: asEvents }, 403, 'no_scope'],
      ['a scope that is not there', '/v1/live?scope=nobody', { headers: asEvents }, 403, 'no_scope'],
      [
        'more than 100 scopes',
        '/v1/live',
        { headers: asEvents, scopes: Array.from({ length: 100 }, (_, n) => `s${n}`) },
        400,
        'malformed',
      ],
    ]
    it.each(refusals)('refuses %s', async (_, path, options, status, code) => {
      const answer = await ask('GET', path, options)
      expect([answer.status, answer.json.code]).toEqual([status, code])
      expect(answer.text).not.toMatch(/eyJhbGciOi|bob|nobody/)
      expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    })

    it('refuses a POST with 405, and a HEAD without opening a stream', async () => {
      const posted = await ask('POST', '/v1/live', { headers: asEvents })
      expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET'])
      for (let n = 0; n < 6; n++) {
        expect((await ask('HEAD', '/v1/live', { headers: asEvents, sub: 'head' })).status).toBe(405)
      }
    })

    it('takes 100 scopes, and tells of each', async () => {
      const scopes = Array.from({ length: 99 }, (_, n) => `many-${n}`)
      const listener = await listenBySocket(server.url, { sub: 'many', scopes })
      await push([put('1', { scope: 'many-98' })], { sub: 'many', scopes })
      await listener.reached('many-98', 1)
      listener.close()
    })

    /** The `ws` client shows the answer to a handshake, which a browser keeps to itself. */
    async function handshake(options: { path?: string; protocols?: string[]; headers?: Record<string, string> }) {
      const socket = new WsSocket(
        `${server.url.replace('http', 'ws')}/v1/live${options.path ?? ''}`,
        options.protocols ?? [],
        { headers: options.headers ?? {} },
      )
      return new Promise<{
        status: number
        code?: string
        headers?: NodeJS.Dict<string | string[]>
        protocol?: string
      }>((resolve, reject) => {
        socket.on('open', () => {
          resolve({ status: 101, protocol: socket.protocol })
          socket.close()
        })
        socket.on('error', reject)
        socket.on('unexpected-response', (_request, response) => {
          let text = ''
          response.on('data', (chunk) => {
            text += chunk
          })
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, code: JSON.parse(text).code, headers: response.headers }),
          )
        })
      })
    }

    it('answers a handshake that it refuses like any request, as problem+json', async () => {
      const token = await tokenOf({ sub: 'kim' })
      const bearer = { Authorization: `Bearer ${token}` }
      expect(await handshake({ headers: bearer })).toMatchObject({ status: 101, protocol: '' })
      expect(await handshake({ protocols: ['driftline', `bearer.${token}`] })).toMatchObject({
        status: 101,
        protocol: 'driftline',
      })
      const origin = (Origin: string) => ({ headers: { ...bearer, Origin } })
      expect(await handshake(origin('https://app.example'))).toMatchObject({ status: 101 })
      expect(await handshake(origin(server.url))).toMatchObject({ status: 101 })
      expect(await handshake(origin('https://x.example'))).toMatchObject({ status: 403, code: 'forbidden_origin' })
      const refused = await handshake({})
      expect(refused).toMatchObject({ status: 401, code: 'unauthorized' })
      expect(refused.headers).toMatchObject({
        'content-type': 'application/problem+json; charset=utf-8',
        'www-authenticate': expect.stringMatching(/^Bearer/),
        'x-request-id': expect.any(String),
      })
      const expired = await tokenOf({ sub: 'kim', seconds: -1 })
      expect(await handshake({ protocols: ['driftline', `bearer.${expired}`] })).toMatchObject({ status: 401 })
      expect(await handshake({ protocols: ['driftline', 'bearer.x.y.z'] })).toMatchObject({ status: 401 })
      expect(await handshake({ protocols: [`bearer.${token}`] })).toMatchObject({ status: 400, code: 'malformed' })
      expect(await handshake({ path: `?token=${token}` })).toMatchObject({ status: 400, code: 'malformed' })
      expect(server.logs()).not.toContain(token)
    })

    it('says 429 with Retry-After beyond the setting', async () => {
      const headers = { Authorization: `Bearer ${await tokenOf({ sub: 'leo' })}` }
      const opened = await Promise.all(Array.from({ length: 5 }, () => listenBySocket(server.url, { sub: 'leo' })))
      const refused = await handshake({ headers })
      expect(refused).toMatchObject({ status: 429, code: 'too_many_sockets', headers: { 'retry-after': '60' } })
      for (const listener of opened) listener.close()
    })

    it('reads no message, and closes on a large one with 1009', async () => {
      const socket = new WsSocket(`${server.url.replace('http', 'ws')}/v1/live`, {
        headers: { Authorization: `Bearer ${await tokenOf({ sub: 'olga' })}` },
      })
      await new Promise((resolve) => socket.on('open', resolve))
      const closed = new Promise<number>((resolve) => socket.on('close', resolve))
      socket.send('x'.repeat(1024))
      await quiet()
      expect(socket.readyState).toBe(WsSocket.OPEN)
      socket.send('x'.repeat(1025))
      expect(await closed).toBe(1009)
    })
  })
}
