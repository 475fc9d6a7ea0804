import { afterEach, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { limits } from '../../src/model/limits.ts'
import { PayloadFault } from '../../src/model/payload-fault.ts'
import { matchScope } from '../../src/model/scope-pattern.ts'
import { hashScope, type RequestEvent } from '../../src/observe/facts.ts'
import { prune } from '../../src/prune/prune.ts'
import { StoreFault } from '../../src/stores/store.ts'
import type { WebhookSources } from '../../src/webhooks/in/sources.ts'
import { putNow, until } from '../support/pushing.ts'
import { schema } from '../support/schema.ts'
import { type ServerProcess, startServer, testSecret } from '../support/server.ts'
import { allStoreNames, createDatabase, openTestStore, storeNames, temporaryFolder } from '../support/stores.ts'
import { otherSecret, type Post, sendWebhook, signedHeaders, webhookSecret } from '../support/webhook.ts'

const auth = { secret: testSecret }
const webhookSecrets = { crm: [webhookSecret], erp: [otherSecret] }
const todo = (id: string, more: object = {}) => ({ table: 'todos', op: 'put', id, row: { title: id }, ...more })

describe('webhooks', () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  async function open(name: (typeof allStoreNames)[number] = 'libsql file') {
    const opened = await openTestStore(name)
    cleanups.push(() => opened.close())
    return opened
  }
  async function serve(env: Record<string, string>): Promise<ServerProcess & { post: Post }> {
    const server = await startServer({ WEBHOOK_SECRETS: JSON.stringify(webhookSecrets), ...env })
    cleanups.push(() => server.stop('SIGKILL'))
    return { ...server, post: (path, init) => fetch(server.url + path, init) }
  }

  it.each(storeNames.filter((name) => name !== 'libsql file'))(
    'P14 %s: one round trip, and a retry reads the outcome with one more',
    async (name) => {
      const { store, roundTrips } = await open(name)
      const app = createApp({ schema, store, auth, webhookSecrets })
      const changes = Array.from({ length: 1_000 }, (_, n) => todo(`t${n}`))
      const send = (id: string) => sendWebhook(app.request, { scope: 'alice', changes }, { id })
      await send('before')
      const trips = async (run: () => Promise<unknown>) => {
        const before = roundTrips()
        await run()
        return roundTrips() - before
      }
      expect(await trips(() => send('m1'))).toBe(1)
      // Postgres' transaction that was given up is rolled back beside.
      expect(await trips(() => send('m1'))).toBe(name === 'postgres' ? 3 : 2)
    },
  )

  it.each(allStoreNames)(
    'P14 %s: the same id sixteen times at once takes effect once, and all get the same answer',
    async (name) => {
      const { store } = await open(name)
      const commits: number[] = []
      const app = createApp({ schema, store, auth, webhookSecrets, onCommit: (_, position) => commits.push(position) })
      const payload = {
        scope: 'alice',
        changes: [todo('a'), todo('b'), todo('a', { op: 'patch', row: { done: true } }), {}],
      }
      const answers = await Promise.all(
        Array.from({ length: 16 }, () => sendWebhook(app.request, payload, { id: 'm' })),
      )
      for (const { status, body } of answers) {
        expect(status).toBe(200)
        expect(body.verdicts).toEqual(answers[0]?.body.verdicts)
      }
      expect(answers[0]?.body.verdicts.map((one: { verdict: string }) => one.verdict)).toEqual([
        ...['applied', 'applied', 'applied', 'rejected'],
      ])
      expect(commits).toEqual([2])
      // Another source's same id is another webhook.
      const other = await sendWebhook(app.request, payload, { id: 'm', source: 'erp', secret: otherSecret })
      expect(other.body.verdicts[0]).toEqual({ verdict: 'applied', action: 'updated' })
      expect(commits).toEqual([2, 4])
    },
  )

  it('P14 a retry gets the outcome as it was, whatever was written since, and with any body', async () => {
    const { store } = await open()
    const app = createApp({ schema, store, auth, webhookSecrets })
    const payload = { scope: 'alice', changes: [todo('a'), todo('b', { at: 1_700_000_000_000_000 })] }
    const first = await sendWebhook(app.request, payload, { id: 'm' })
    await sendWebhook(app.request, { scope: 'alice', changes: [todo('a', { op: 'delete', row: undefined })] })
    for (const again of [
      payload,
      { scope: 'alice', changes: [todo('c')] },
      { scope: 'alice', changes: [...payload.changes, todo('d')] },
    ]) {
      expect((await sendWebhook(app.request, again, { id: 'm' })).body.verdicts).toEqual(first.body.verdicts)
    }
    const [rows] = await store.batch('', [{ sql: 'SELECT id, deleted FROM todos ORDER BY id', params: [] }])
    expect(rows?.map(([id, deleted]) => [id, Number(deleted)])).toEqual([
      ['a', 1],
      ['b', 0],
    ])
  })

  it('P14 a retry gets what was rejected, though the clock would let it in by now', async () => {
    const { store } = await open()
    let now = Date.now()
    const app = createApp({ schema, store, auth, webhookSecrets, now: () => now })
    const payload = { scope: 'alice', changes: [todo('a'), todo('b', { at: (now + 301_000) * 1000 })] }
    const first = await sendWebhook(app.request, payload, { id: 'm' })
    expect(first.body.verdicts[1]).toMatchObject({ verdict: 'rejected', error: { code: 'clock_ahead' } })
    now += 3_600_000
    expect((await sendWebhook(app.request, payload, { id: 'm' })).body.verdicts).toEqual(first.body.verdicts)
  })

  it.each(['libsql file', 'postgres'] as const)(
    'P14 P13 %s: an answer that was lost, and a database that was away, are made good by a retry',
    async (name) => {
      const { store } = await open(name)
      let fault: 'before' | 'after' | undefined
      const failing = {
        ...store,
        async batch(...args: Parameters<typeof store.batch>) {
          const now = fault
          fault = undefined
          if (now === 'before') throw new StoreFault('transient', { message: 'away' })
          const rows = await store.batch(...args)
          if (now === 'after') throw new StoreFault('transient', { message: 'cut at the commit' })
          return rows
        },
      }
      const app = createApp({ schema, store: failing, auth, webhookSecrets })
      for (const [place, when] of (['before', 'after'] as const).entries()) {
        const payload = { scope: 'alice', changes: [todo('a'), todo(`only-${when}`)] }
        fault = when
        expect((await sendWebhook(app.request, payload, { id: when })).status).toBe(503)
        const again = await sendWebhook(app.request, payload, { id: when })
        expect(again.body.verdicts).toEqual([
          { verdict: 'applied', action: place === 0 ? 'inserted' : 'updated' },
          { verdict: 'applied', action: 'inserted' },
        ])
        const [rows] = await store.batch('alice', [
          { sql: "SELECT position FROM driftline_scopes WHERE scope = 'alice'", params: [] },
        ])
        expect(Number(rows?.[0]?.[0])).toBe((place + 1) * 2)
      }
    },
  )

  it('P2 P14 the server is killed in the middle of webhooks: each that is sent again has taken effect once', async () => {
    const { folder, drop } = await temporaryFolder()
    cleanups.push(drop)
    let server = await serve({ DATABASE_URL: `file:${folder}/a.db` })
    const outcomes = new Map<string, string>()
    let sent = 0
    for (let round = 0; round < 3; round++) {
      const { post } = server
      const work = (async () => {
        for (;;) {
          const id = `m${sent}`
          const answer = await sendWebhook(post, { scope: 'alice', changes: [todo(id), todo('shared')] }, { id })
          outcomes.set(id, JSON.stringify(answer.body.verdicts))
          sent++
        }
      })().catch(() => {})
      await until(() => sent >= (round + 1) * 25)
      await server.stop('SIGKILL')
      await work
      server = await serve({ DATABASE_URL: `file:${folder}/a.db` })
      // The one that was cut, as its sender sends it again; and one that was answered.
      const cut = await sendWebhook(
        server.post,
        { scope: 'alice', changes: [todo(`m${sent}`), todo('shared')] },
        { id: `m${sent}` },
      )
      outcomes.set(`m${sent}`, JSON.stringify(cut.body.verdicts))
      sent++
    }
    for (const [id, verdicts] of outcomes) {
      const again = await sendWebhook(server.post, { scope: 'alice', changes: [todo(id), todo('shared')] }, { id })
      expect(JSON.stringify(again.body.verdicts)).toBe(verdicts)
    }
    const { json } = await server.request('GET', '/v1/pull')
    expect(json.changes).toHaveLength(sent + 1)
    // Two positions for each, none more for those that were sent again.
    expect(Math.max(...json.changes.map(({ position }: { position: number }) => position))).toBe(2 * sent)
  })

  it('a change without a stamp wins over a clock that runs ahead, and by itself is pulled like any other', async () => {
    const server = await serve({ DATABASE_URL: await createDatabase() })
    const ahead = Date.now() * 1000 + 200_000_000
    const pushed = { client: 'phone', changes: [{ ...putNow('a'), at: ahead }] }
    expect((await server.request('POST', '/v1/push', { body: pushed })).json.verdicts[0].verdict).toBe('applied')
    const hook = { scope: 'alice', changes: [todo('a', { row: { title: 'of record' } }), todo('b')] }
    expect((await sendWebhook(server.post, hook)).body.verdicts[0]).toEqual({ verdict: 'applied', action: 'updated' })
    const { json } = await server.request('GET', '/v1/pull')
    const byId = Object.fromEntries(json.changes.map((change: { id: string }) => [change.id, change]))
    expect(byId.a).toMatchObject({ at: ahead + 1, by: 'crm', row: { title: 'of record' } })
    expect(Math.abs(byId.b.at / 1000 - Date.now())).toBeLessThan(60_000)
  })

  it('P12 what the database refuses is rejected alone, and stays so for a retry', async () => {
    for (const name of ['libsql file', 'postgres'] as const) {
      const { store } = await open(name)
      await store.batch('', [{ sql: 'CREATE UNIQUE INDEX once ON lists (scope, name)', params: [] }])
      const app = createApp({ schema, store, auth, webhookSecrets })
      const list = (id: string, title: string) => ({ table: 'lists', op: 'put', id, row: { name: title } })
      const payload = {
        scope: 'alice',
        changes: [list('1', 'a'), list('2', 'a'), list('3', 'b'), { ...list('4', 'c'), at: 5 }],
      }
      const first = await sendWebhook(app.request, payload, { id: 'm' })
      expect(
        first.body.verdicts.map(
          ({ verdict, error }: { verdict: string; error?: { code: string } }) => error?.code ?? verdict,
        ),
      ).toEqual([...['applied', 'constraint', 'applied', 'clock_behind']])
      expect((await sendWebhook(app.request, payload, { id: 'm' })).body.verdicts).toEqual(first.body.verdicts)
    }
  })

  it('P14 of several scopes, what did not take effect yet does so with the retry', async () => {
    const { store } = await open()
    let refused = true
    const failing = {
      ...store,
      // Each in a database of its own, one of which is away.
      placeOf: (scope: string) => scope,
      batch: (scope: string, statements: Parameters<typeof store.batch>[1]) =>
        scope === 'bob' && refused
          ? Promise.reject(new StoreFault('transient', { message: 'away' }))
          : store.batch(scope, statements),
    }
    const commits: string[] = []
    const app = createApp({ schema, store: failing, auth, webhookSecrets, onCommit: (scope) => commits.push(scope) })
    const payload = { changes: ['alice', 'bob', 'alice'].map((scope, n) => todo(`t${n}`, { scope })) }
    expect((await sendWebhook(app.request, payload, { id: 'm' })).status).toBe(503)
    refused = false
    const done = await sendWebhook(app.request, payload, { id: 'm' })
    expect(done.body.verdicts).toEqual(Array(3).fill({ verdict: 'applied', action: 'inserted' }))
    expect((await sendWebhook(app.request, payload, { id: 'm' })).body.verdicts).toEqual(done.body.verdicts)
    expect(commits).toEqual(['alice', 'bob'])
  })

  it('ids are kept for two weeks, and then pruned', async () => {
    for (const name of ['libsql file', 'postgres'] as const) {
      const { store } = await open(name)
      let now = Date.now()
      const app = createApp({ schema, store, auth, webhookSecrets, now: () => now })
      for (let n = 0; n < 3; n++) await sendWebhook(app.request, { scope: `s${n}`, changes: [todo('a')] }, { id: 'm' })
      const kept = async () => {
        await prune(store, schema, { retentionMs: 90 * 86_400_000, now: () => now })
        return (await store.batch('', [{ sql: 'SELECT scope FROM driftline_inbox', params: [] }]))[0]?.length
      }
      now += limits.inboxMs - 1
      await sendWebhook(app.request, { scope: 's3', changes: [todo('a')] }, { id: 'late' })
      expect(await kept()).toBe(4)
      now += 2
      expect(await kept()).toBe(1)
    }
  })

  it('bodies: signed as they came, with the limits and encodings of a push', async () => {
    const { store } = await open()
    const app = createApp({ schema, store, auth, webhookSecrets })
    const send = async (body: string | Uint8Array, more: Record<string, string> = {}) => {
      const text = typeof body === 'string' ? body : new TextDecoder('utf-8', { ignoreBOM: true }).decode(body)
      const answer = await app.request('/v1/webhooks/crm', {
        method: 'POST',
        headers: { ...signedHeaders(text), ...more },
        body: body as string,
      })
      return { status: answer.status, detail: JSON.parse(await answer.text()).detail }
    }
    const plain = JSON.stringify({ scope: 'alice', changes: [todo('é😀')] })
    for (const body of [
      plain,
      `{"client":"crm",${plain.slice(1)}`,
      ` ${plain}\n`,
      `\ufeff${plain}`,
      JSON.stringify(JSON.parse(plain), null, 2),
    ])
      expect(await send(body), body).toMatchObject({ status: 200 })
    expect(await send(plain, { 'Content-Type': 'application/json; charset=utf-8' })).toMatchObject({ status: 200 })
    expect(await send(plain, { 'Content-Type': 'text/plain' })).toMatchObject({ status: 415 })
    expect(await send(plain, { 'Content-Encoding': 'gzip' })).toMatchObject({ status: 400 })
    expect(await send(plain, { 'Content-Encoding': 'br' })).toMatchObject({ status: 415 })
    expect(await send(' '.repeat(limits.bodyBytesMax + 1))).toMatchObject({ status: 413 })
    expect(await send(new Uint8Array([0x7b, 0xff, 0x7d]))).toMatchObject({ status: 400 })
    const tooMany = { scope: 'alice', changes: Array(limits.changesMax + 1).fill(0) }
    expect(await send(JSON.stringify(tooMany))).toMatchObject({ status: 413 })
    for (const [body, place] of [
      ['', 'it is empty'],
      ['{"changes":[}', 'character 12'],
      ['[]', 'must be a JSON object'],
      ['null', 'must be a JSON object'],
      ['{}', '"changes"'],
      ['{"changes":{}}', '"changes" must be an array'],
      ['{"changes":[],"scope":5}', '"scope" must be text'],
      ['{"changes":[],"client":"x"}', '"client" is the source here: crm'],
      ['{"changes":[],"cursor":null}', 'no member "cursor"'],
      ['{"changes":[],"atomic":1}', '"atomic" must be true or false'],
    ] as const) {
      const answer = await send(body)
      expect(answer.status, body).toBe(400)
      expect(answer.detail, body).toContain(place)
    }
    const odd = await sendWebhook(app.request, {
      changes: [todo('a'), todo('a', { scope: 'x'.repeat(129) }), todo('a', { scope: 5 })],
    })
    expect(odd.body.verdicts.map(({ error }: { error: { code: string } }) => error.code)).toEqual(
      Array(3).fill('invalid_change'),
    )
  })

  it('P11 a source writes only the scopes that it may', async () => {
    const { store } = await open()
    const webhooks: WebhookSources<typeof schema> = { crm: { scopes: ['team:*', 'news'] } }
    const app = createApp({ schema, store, auth, webhookSecrets, webhooks })
    const scopes = ['team:9', 'news', 'news2', 'alice', 'xteam:9', 'team:']
    const { body } = await sendWebhook(app.request, { changes: scopes.map((scope) => todo('a', { scope })) })
    expect(body.verdicts.map(({ error }: { error?: { code: string } }) => error?.code)).toEqual([
      ...[undefined, undefined, 'forbidden_scope', 'forbidden_scope', 'forbidden_scope', undefined],
    ])
    expect(matchScope(['a.b', '*x*'])('a.b')).toBe(true)
    expect(matchScope(['a.b'])('aXb')).toBe(false)
    expect(matchScope(['*'])('line\nbreak')).toBe(true)
    expect(matchScope([])('a')).toBe(false)
  })

  it('mappings make changes of payloads; one that throws is a 422 that names the source, and nothing is stored', async () => {
    const { store } = await open()
    const events: RequestEvent[] = []
    const webhooks: WebhookSources<typeof schema> = {
      crm: {
        map(payload) {
          const { kind, id } = payload as { kind: string; id: string }
          if (kind === 'broken') throw new Error(`a secret value ${id}`)
          if (kind === 'wrong') return 5 as never
          if (kind === 'lacking') throw new PayloadFault('record.id is missing.')
          if (kind === 'ignored') return []
          return [{ scope: 'alice', table: 'todos', op: 'put', id, row: { title: kind } }]
        },
      },
    }
    const app = createApp({ schema, store, auth, webhookSecrets, webhooks, onRequest: (event) => events.push(event) })
    const logged: string[] = []
    const { error: original } = console
    console.error = (line: string) => void logged.push(line)
    cleanups.push(() => {
      console.error = original
    })
    expect((await sendWebhook(app.request, { kind: 'new', id: 'a' })).body.verdicts).toEqual([
      { verdict: 'applied', action: 'inserted' },
    ])
    expect((await sendWebhook(app.request, { kind: 'ignored', id: 'b' })).body.verdicts).toEqual([])
    for (const kind of ['broken', 'wrong']) {
      const { status, body } = await sendWebhook(app.request, { kind, id: 'canary' })
      expect([status, body.code]).toEqual([422, 'mapping_failed'])
      expect(body.detail).toContain('crm')
      expect(JSON.stringify(body)).not.toMatch(/canary|secret/)
    }
    const lacking = await sendWebhook(app.request, { kind: 'lacking' })
    expect(lacking.body.detail).toBe(
      'The mapping of the source crm does not take this payload: record.id is missing. Nothing was stored.',
    )
    expect(logged).toHaveLength(3)
    for (const line of logged) {
      expect(JSON.parse(line)).toMatchObject({ level: 'error', where: 'webhook crm' })
      expect(line).not.toMatch(/canary|secret/)
    }
    await until(() => events.length === 5)
    // A scope is hashed on the side, so the lines of requests at once come in any order.
    events.sort((a, b) => a.status - b.status || b.scopes - a.scopes)
    expect(events.map(({ operation, route, status }) => [operation, route, status])).toEqual([
      ...[200, 200, 422, 422, 422].map((status) => ['webhook', '/v1/webhooks/:source', status]),
    ])
    expect(events[0]).toMatchObject({ verdicts: { applied: 1 }, scopes: 1, scopeHash: await hashScope('alice') })
  })
})
