import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { integer, text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import type { Store } from '../../src/stores/store.ts'
import { del, principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { dialectStores, openTestStore, type TestStore } from '../support/stores.ts'
import { linesOf } from '../support/streams.ts'

type Principal = ReturnType<typeof principal>

describe.each(dialectStores)('the ETag of a stream on %s', (name) => {
  let opened: TestStore
  const sent: string[] = []
  let store: Store
  beforeAll(async () => {
    opened = await openTestStore(name)
    store = {
      ...opened.store,
      batch(scope, statements) {
        sent.push(...statements.map(({ sql }) => sql))
        return opened.store.batch(scope, statements)
      },
    }
  })
  afterAll(() => opened.close())
  let users = 0
  const someone = (...more: string[]) =>
    principal(`user${++users}`, Object.fromEntries(more.map((scope) => [scope, 'write' as const])))

  const appOf = (of = schema) => createApp({ schema: of as typeof schema, store, auth: { secret: testSecret } })
  async function pull(who: Principal, query = '', headers: Record<string, string> = {}, app = appOf()) {
    const token = await signToken(testSecret, { sub: who.subject, scopes: [...who.scopes.keys()] })
    const stream = { Authorization: `Bearer ${token}`, Accept: 'application/x-ndjson', ...headers }
    return app.request(`/v1/pull${query}`, { headers: stream })
  }
  const tagOf = async (...args: Parameters<typeof pull>) => {
    const answer = await pull(...args)
    await answer.text()
    expect(answer.headers.get('cache-control')).toBe('private, no-cache')
    return answer.headers.get('etag') ?? ''
  }
  const statusFor = async (tag: string, who: Principal, query = '', app = appOf()) => {
    const answer = await pull(who, query, { 'If-None-Match': tag }, app)
    await answer.body?.cancel()
    return answer.status
  }

  it('answers 304 where nothing was written, by a row of each scope and no other', async () => {
    const team = `team${users}`
    const who = someone(team)
    const sync = sampleSync(opened.store)
    await sync.push(who, { client: 'a', changes: [put('a', 0, 'a'), { ...put('b', 0, 'b'), scope: team }] })
    const tag = await tagOf(who)
    expect(tag).toMatch(/^W\/"[0-9a-f]{16}"$/)
    sent.length = 0
    const answer = await pull(who, '', { 'If-None-Match': tag })
    expect([answer.status, await answer.text(), answer.headers.get('etag')]).toEqual([304, '', tag])
    expect([answer.headers.get('cache-control'), answer.headers.get('vary')]).toEqual([
      'private, no-cache',
      'Accept, Accept-Encoding',
    ])
    expect(sent).toHaveLength(1)
    for (const sql of sent) expect(sql).toMatch(/^SELECT scope, incarnation, position, watermark FROM /)
    for (const sql of sent) expect(sql).not.toMatch(/todos|lists/)
    // As a proxy may hand it on, and among others.
    expect(await statusFor(tag.slice(2), who)).toBe(304)
    expect(await statusFor(`"x", ${tag} , W/"y"`, who)).toBe(304)
    expect(await statusFor('"x"', who)).toBe(200)
    const compressed = await pull(who, '', { 'If-None-Match': tag, 'Accept-Encoding': 'gzip' })
    expect([compressed.status, compressed.headers.get('content-encoding')]).toEqual([304, null])
  })

  it('P3 is another after any write, of a delete and a change that lost too, and the stream then has it', async () => {
    const team = `team${users}`
    const who = someone(team)
    const sync = sampleSync(opened.store)
    const tags = [await tagOf(who)]
    for (const change of [put('a', 5, 'a'), put('a', 1, 'lost'), del('a', 9), { ...put('b', 0, 'b'), scope: team }]) {
      await sync.push(who, { client: 'a', changes: [change] })
      for (const tag of tags) expect(await statusFor(tag, who)).toBe(200)
      tags.push(await tagOf(who))
    }
    expect(new Set(tags).size).toBe(5)
    expect(await linesOf(await pull(who, '', { 'If-None-Match': tags[3] ?? '' }))).toMatchObject([
      { rows: 1 },
      { id: 'b' },
      { more: false },
    ])
  })

  it('P11 is another for another principal, scope granted or lost, cursor, limit and schema', async () => {
    const team = `team${users}`
    const who = someone(team)
    const sync = sampleSync(opened.store)
    await sync.push(who, { client: 'a', changes: [put('a', 0, 'a'), { ...put('b', 0, 'b'), scope: team }] })
    const { cursor } = await sync.pull(who, { limit: 1 })
    const wider = defineSchema({ ...{ lists: { name: text() } }, todos: { title: text(), priority: integer() } })
    const others = [
      await tagOf(who),
      await tagOf(principal(who.subject)),
      await tagOf(principal(team)),
      await tagOf(principal(who.subject, { 'never written': 'write' })),
      await tagOf(principal(who.subject, { 'nor this': 'write' })),
      await tagOf(principal(team, { [who.subject]: 'write' })),
      await tagOf(who, `?cursor=${cursor}`),
      await tagOf(who, '?limit=1'),
      await tagOf(who, '', {}, appOf(wider as unknown as typeof schema)),
    ]
    expect(new Set(others).size).toBe(others.length)
    expect(await tagOf(who, '?limit=1000')).toBe(others[0])
  })

  it('P9 P16 neither hides that a cursor must resync nor that a token is not valid', async () => {
    const who = someone()
    const sync = sampleSync(opened.store)
    await sync.push(who, { client: 'a', changes: [put('a', 0, 'a'), put('b', 0, 'b')] })
    const begun = (await sync.pull(who, { limit: 1 })).cursor
    const { cursor } = await sync.pull(who)
    await sync.push(who, { client: 'a', changes: [put('c', 0, 'c'), del('a', 1)] })
    const ofCursor = (one: string) => [who, `?cursor=${one}`] as const
    const [bare, later, within] = [await tagOf(who), await tagOf(...ofCursor(cursor)), await tagOf(...ofCursor(begun))]
    const forged = await pull(who, '', { Authorization: 'Bearer x.y.z', 'If-None-Match': bare })
    expect(forged.status).toBe(401)
    const exec = (sql: string) => {
      const update = `UPDATE driftline_scopes SET ${sql} WHERE scope = '${who.subject}'`
      return opened.store.batch(who.subject, [{ sql: update, params: [] }])
    }
    const statuses = () =>
      Promise.all([statusFor(bare, who), statusFor(later, ...ofCursor(cursor)), statusFor(within, ...ofCursor(begun))])
    expect(await statuses()).toEqual([304, 304, 304])
    // What a prune does moves no position: the tag is the same, and the tombstone may be gone.
    await exec('watermark = 4')
    expect(await statuses()).toEqual([304, 410, 410])
    await exec('watermark = 0, position = 1')
    expect(await statuses()).toEqual([200, 410, 410])
    await exec(`incarnation = 'another', position = 4`)
    expect(await statuses()).toEqual([200, 410, 410])
  })

  it('is not there for a page, which tells the time', async () => {
    const who = someone()
    const tag = await tagOf(who)
    const page = await pull(who, '', { Accept: 'application/json', 'If-None-Match': tag })
    expect([page.status, page.headers.get('etag'), page.headers.get('cache-control')]).toEqual([200, null, null])
    expect(page.headers.get('vary')).toBe('Accept')
  })
})
