import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signToken } from '../../src/runtime/sign-token.ts'
import {
  askEverywhere,
  canary,
  readCanaries,
  type Target,
  untouched,
  writeCanaries,
} from '../programs/hostile/everywhere.ts'
import { oddFrames, openRawSocket } from '../programs/hostile/frames.ts'
import { type RawAnswer, rawRequests, sendRaw } from '../programs/hostile/raw.ts'
import {
  bodyTo,
  changePlaces,
  changesTo,
  type Entry,
  entries,
  forgedCursor,
  type Hostile,
  put,
  requestPlaces,
} from '../programs/hostile/requests.ts'
import { hostileTexts, jsonBodies, mutatedRequest } from '../support/hostile.ts'
import { listenBySocket } from '../support/live.ts'
import { type Runtime, runtimes } from '../support/runtimes.ts'
import { type Answer, request, testSecret } from '../support/server.ts'

const names = ['Node with libSQL in a file', 'Node with Postgres', 'workerd with Durable Objects'] as const
const seed = Number(process.env.SEED ?? randomInt(2 ** 31))

/** What became of each change: an import names those that it rejected. */
function verdictsOf(entry: Entry, { text, json }: Answer, count: number): { verdict: string }[] {
  if (entry !== 'import') return json.verdicts
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const rejected = new Set(lines.map(({ line }) => line))
  expect(lines.at(-1)).toMatchObject({ lines: count, rejected: rejected.has(undefined) ? rejected.size - 1 : 0 })
  return Array.from({ length: count }, (_, n) => ({ verdict: rejected.has(n + 1) ? 'rejected' : 'applied' }))
}

describe('hostile input', () => {
  const started: Runtime[] = []
  let targets: Target[] = []
  beforeAll(async () => {
    console.log(`SEED=${seed}`)
    started.push(...(await Promise.all(names.map((name) => runtimes[name]!()))))
    targets = started.map(({ url }, n) => ({ name: names[n] ?? '', url }))
    await writeCanaries(targets)
  })
  afterAll(() => Promise.all(started.map((runtime) => runtime.close())))

  /**
   * The answers of the first runtime, once all have given the same and none a 5xx or a byte of the
   * other scope.
   */
  async function everywhere(requests: readonly Hostile[]): Promise<readonly Answer[]> {
    const { answers, breaches } = await askEverywhere(targets, requests)
    expect(breaches.slice(0, 10)).toEqual([])
    return answers
  }

  it.each(entries)(
    'P7 P11 P12 every naughty text in a %s comes back as it was sent, or is rejected alone',
    async (entry) => {
      const scope = `texts-${entry}`
      const rows = hostileTexts.map((text, n) => put(`n${n}`, { title: text, notes: text, list_id: text }))
      const [written] = await everywhere([changesTo(entry, scope, rows)])
      const [pulled] = await everywhere([['GET', '/v1/pull?limit=5000', { sub: scope }]])
      const stored = new Map<string, { row: object }>(
        pulled?.json.changes.map((change: { id: string; row: object }) => [change.id, change]),
      )
      let applied = 0
      const verdicts = verdictsOf(entry, written as Answer, rows.length)
      for (const [n, { verdict }] of verdicts.entries()) {
        expect(verdict === 'applied', hostileTexts[n]).toBe(stored.has(`n${n}`))
        if (verdict === 'applied') expect(stored.get(`n${n}`)?.row).toMatchObject(rows[n]?.row ?? {})
        if (verdict === 'applied') applied++
      }
      expect(hostileTexts.length - applied).toBe(3) // NUL and two lone surrogates
    },
  )

  it.each(entries)(
    'P7 P11 P12 naughty texts as ids, tables, ops, scopes, columns and stamps of a %s harm no other change',
    async (entry) => {
      const good = put('good', { title: 'good' })
      // A webhook may write any scope, which costs a transaction, or an object, each.
      const isScopes = (n: number) => entry === 'webhook' && n === 3
      const textsOf = (n: number) =>
        hostileTexts.filter((text, k) => text !== 'owner' && (!isScopes(n) || k % 20 === 0))
      const answers = await everywhere(
        changePlaces.map((place, n) => changesTo(entry, `places-${entry}-${n}`, [...textsOf(n).map(place), good])),
      )
      for (const [n, answer] of answers.entries()) {
        const verdicts = verdictsOf(entry, answer, textsOf(n).length + 1)
        expect(verdicts).toHaveLength(textsOf(n).length + 1)
        expect(verdicts.at(-1)).toMatchObject({ verdict: 'applied' })
        const applied = verdicts.filter(({ verdict }) => verdict === 'applied')
        // An id may be any printable text.
        if (n !== 0 && !isScopes(n)) expect(applied).toHaveLength(1)
      }
    },
  )

  it('P7 P11 naughty texts anywhere else in a request, its path and its headers are refused with a 4xx', async () => {
    const places = Object.entries(requestPlaces)
    // Of the ordinary ones a part, with each seed another; npm run hostile sends all.
    const texts = hostileTexts.filter(
      (text, n) => text.isWellFormed() && (n >= hostileTexts.length - 40 || (n + seed) % 8 === 0),
    )
    // Each text in one place, and those that mean something to a program in more: others with each
    // seed.
    const isTried = (n: number, place: number) =>
      n < texts.length - 40 ? place === (n + seed) % places.length : (n + place + seed) % 4 === 0
    const tries = texts.flatMap((text, n) =>
      places.filter((_, place) => isTried(n, place)).map(([name, make]) => [name, make, text] as const),
    )
    const answers = await everywhere(tries.map(([, make, text], n) => make(text, `place-${n}`)))
    const taken = tries.filter((_, n) => (answers[n]?.status ?? 0) < 400)
    expect(taken.map(([name, , text]) => `${name}: ${text}`)).toEqual([])
  })

  it('P12 JSONTestSuite: what is no JSON is 400 and the rest gets its verdicts, in a sync, a push and a webhook', async () => {
    // A third of it, with each seed another.
    const bodies = jsonBodies.filter((_, n) => (n + seed) % 3 === 0)
    const wrapped = bodies.map(({ input }) => `{"changes":[${input}]}`)
    const ofJson = entries.filter((entry) => entry !== 'import')
    const entryOf = (n: number) => ofJson[n % ofJson.length] ?? 'sync'
    const bare = await everywhere(bodies.map(({ input }, n) => bodyTo(entryOf(n), 'json', `b${n}`, input)))
    const inside = await everywhere(
      wrapped.map((body, n) => {
        const entry = entryOf(n + 1)
        return bodyTo(entry, 'json', `i${n}`, entry === 'webhook' ? body : body.replace('{', '{"client":"a",'))
      }),
    )
    for (const [n, { name }] of bodies.entries()) {
      // None of them is a request, whether or not it is JSON.
      expect(bare[n]?.status, name).toBe(400)
      if (/^n_|^y_object/.test(name))
        expect(bare[n]?.json.detail.includes('must be JSON:'), name).toBe(name.startsWith('n_'))
      const fine = parses(wrapped[n] ?? '')
      expect(inside[n]?.status, name).toBe(fine ? 200 : 400)
      if (fine) for (const { verdict } of inside[n]?.json.verdicts ?? []) expect(verdict, name).toBe('rejected')
    }
  })

  it('P7 P11 valid requests with a few values changed: never a 5xx, the same bytes everywhere', async () => {
    const requests = fc.sample(mutatedRequest, { numRuns: 24, seed })
    const bodies = requests.map((body) => JSON.stringify(body) ?? 'null')
    // One after the other: each meets the rows of those before it.
    for (const [n, body] of bodies.entries()) {
      await everywhere([bodyTo(entries[n % 2] ?? 'sync', 'alice', '', body)])
      if (n % 3 === 0) await everywhere([bodyTo('webhook', '', `m${n}`, body)])
      if (n % 3 === 1) await everywhere([bodyTo('import', 'alice', '', body)])
    }
    const [pulled] = await everywhere([['GET', '/v1/pull?limit=5000', { sub: 'alice' }]])
    expect(pulled?.json.changes.length).toBeGreaterThan(2)
  })

  it('P9 P11 P16 forged cursors read nothing, and tell nothing of a scope that is not granted', async () => {
    const numbers = [0, 1, 3, 2 ** 53 - 1]
    const cursors = ['owner', 'nobody', 'reader'].flatMap((scope) =>
      [null, 'x', '0'.repeat(32)].flatMap((incarnation) =>
        numbers.map((position, n) => forgedCursor(scope, incarnation, position, numbers.at(-n) ?? 0)),
      ),
    )
    const answers = await everywhere(
      cursors.flatMap((cursor): Hostile[] => [
        ['GET', `/v1/pull?cursor=${cursor}`, { sub: 'reader' }],
        bodyTo('sync', 'reader', '', { client: 'a', cursor }),
        bodyTo('push', 'reader', '', { client: 'a', cursor }),
      ]),
    )
    // The first third names a scope that is there and the second one that is not.
    const third = answers.length / 3
    const said = ({ status, text }: Answer) =>
      `${status} ${text.replaceAll(/owner|nobody|"now":\d+|"(cursor|request_id)":"[^"]*"/g, '')}`
    expect(answers.slice(0, third).map(said)).toEqual(answers.slice(third, 2 * third).map(said))
    // 400: what no server can have handed out, such as a position in a scope that was never
    // written.
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400, 410]))
  })

  it('P2 P11 requests that are no HTTP, or not quite, are refused or cut off, and store nothing', async () => {
    // workerd has a parser of its own, and on Cloudflare another server stands before it.
    const [{ url }] = targets as [Target]
    const token = await signToken(testSecret, { sub: 'raw' })
    const requests = Object.entries(rawRequests(token))
    const answers = await Promise.all(requests.map(([, bytes]) => sendRaw(url, bytes)))
    const isFit = ({ status, text }: RawAnswer) => (status === undefined || status < 500) && !text.includes(canary)
    expect(requests.filter((_, n) => !isFit(answers[n] as RawAnswer)).map(([name]) => name)).toEqual([])
    expect(answers.filter(({ status }) => status === 200)).toEqual([])
    expect((await request(url, 'GET', '/v1/pull', { sub: 'raw' })).json.changes).toEqual([])
  })

  it('P11 P15 texts and broken frames over a live socket say nothing and disturb nobody', async () => {
    for (const { url } of targets) {
      const token = await signToken(testSecret, { sub: 'socket' })
      const [listener, speaker] = await Promise.all([listenBySocket(url, { sub: 'socket' }), openWebSocket(url, token)])
      for (const text of hostileTexts) speaker.send(text.toWellFormed().slice(0, 250))
      const odd = await Promise.all(
        Object.values(oddFrames).map(async (bytes) => {
          const socket = await openRawSocket(url, token)
          socket.write(bytes)
          return socket
        }),
      )
      const body = { client: 's', changes: [put('told', { title: 'told' }, { at: Date.now() * 1000 })] }
      const { status } = await request(url, 'POST', '/v1/push', { sub: 'socket', body })
      expect(status).toBe(200)
      await listener.reached('socket', 1)
      expect(listener.received).toEqual(['{"scope":"socket","position":1}'])
      expect(speaker.readyState).toBe(WebSocket.OPEN)
      for (const one of [listener, speaker]) one.close()
      for (const socket of odd) socket.destroy()
    }
  })

  it('P11 after all of it the other scope is as it was', async () => {
    for (const target of targets) expect(await readCanaries(target), target.name).toEqual(untouched)
  })
})

async function openWebSocket(url: string, token: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`, ['driftline', `bearer.${token}`])
  await once(socket, 'open')
  return socket
}

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
