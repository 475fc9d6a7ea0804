import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { limits } from '../../src/model/limits.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { mappedSources } from '../support/mapped-sources.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { dialectStores, openTestStore } from '../support/stores.ts'
import { type Post, sendWebhook, webhookSecret } from '../support/webhook.ts'
import { startTestWorker } from '../support/worker.ts'

/** A server whose sources have mappings. */
interface Place {
  readonly post: Post
  readonly close: () => Promise<void>
}

async function startApp(name: (typeof dialectStores)[number]): Promise<Place> {
  const opened = await openTestStore(name)
  const webhookSecrets = { crm: [webhookSecret] }
  const app = createApp({ schema, store: opened.store, auth: { secret: testSecret }, webhooks: mappedSources, webhookSecrets })
  return { post: (path, init) => app.request(path, init), close: () => opened.close() }
} // biome-ignore format: long lines

async function startMappedWorker(): Promise<Place> {
  const vars = { AUTH_SECRET: testSecret, WEBHOOK_SECRETS: JSON.stringify({ crm: webhookSecret }) }
  const bindings = [{ name: 'SCOPES', class_name: 'ScopeObject' }, { name: 'LIVE', class_name: 'LiveObject' }] // biome-ignore format: one line
  const worker = await startTestWorker('mapped', vars, { durable_objects: { bindings } })
  return { post: (path, init) => fetch(worker.url.origin + path, init), close: () => worker.close() }
}

const places: readonly (readonly [name: string, start: () => Promise<Place>])[] = [
  ...dialectStores.map((name) => [name, () => startApp(name)] as const),
  ['Durable Objects in workerd', startMappedWorker],
]

describe.each(places)('an import by the mapping of a source, %s', (_, start) => {
  let place: Place
  beforeAll(async () => {
    place = await start()
  })
  afterAll(() => place.close())

  const tokenOf = (sub: string, scopes: readonly string[] = []) => signToken(testSecret, { sub, scopes: [...scopes] })

  async function send(
    query: string,
    lines: readonly unknown[] | string,
    { sub = 'alice', scopes = ['team:1'] as readonly string[], headers = {} } = {},
  ) {
    const answer = await place.post(`/v1/import${query}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${await tokenOf(sub, scopes)}`, 'Content-Type': 'application/x-ndjson', ...headers },
      body: typeof lines === 'string' ? lines : lines.map((one) => `${JSON.stringify(one)}\n`).join(''),
    })
    const text = await answer.text()
    if (answer.status !== 200) return { status: answer.status, problem: JSON.parse(text), said: [] }
    return { status: 200, said: text.trimEnd().split('\n').map((one) => JSON.parse(one)) }
  } // biome-ignore format: long lines

  async function rowsOf(sub: string, scopes: readonly string[] = []) {
    const headers = { Authorization: `Bearer ${await tokenOf(sub, scopes)}` }
    const answer = await place.post('/v1/pull?limit=5000', { method: 'GET', headers })
    return JSON.parse(await answer.text()).changes as { id: string; scope: string; by: string; at: number; row?: { name?: string; title?: string } }[] // biome-ignore format: one line
  }
  const total = (lines: number, applied: number, rejected: number, passed: number, more: object = {}) => ({
    ...{ lines, applied, duplicate: 0, stale: 0, rejected, passed, done: true, ...more },
  })

  it('P12 makes changes of each line, none or many, and rejects alone a line that it does not take, by its number and as it came', async () => {
    const lines = [
      '{"key":1,"name":"one","tags":["a","b"]}',
      '{"kind":"ping"}',
      '{ "kind": "lost",\t"name": "é" }\r',
      '',
      '{"kind":"bug","name":"mine"}',
      '{"kind":"wrong"}',
      '{"key":',
      'null',
      '{"key":2,"name":7}',
      '{"key":3,"name":"three","team":"team:1"}',
    ]
    const { status, said } = await send('?source=crm', lines.join('\n'))
    expect(status).toBe(200)
    const not = 'The mapping of the source crm does not take this line:'
    const rejected = (line: number, code: string, detail: unknown) => ({
      ...{ line, error: { code, detail, retryable: false }, text: lines[line - 1] },
    })
    expect(said.slice(0, -2)).toEqual([
      rejected(3, 'invalid_change', `${not} deal.owner is missing.`),
      rejected(5, 'invalid_change', `${not} it failed.`),
      rejected(6, 'invalid_change', `${not} it gave no array of changes.`),
      rejected(7, 'invalid_change', expect.stringMatching(/^The line must be JSON: /)),
      rejected(8, 'invalid_change', `${not} it failed.`),
      rejected(9, 'invalid_value', 'lists.name must be text.'),
    ])
    expect(said.at(-1)).toEqual(total(10, 4, 6, 1))
  })

  it('takes rows of the source as its webhooks do: by it, and a deal that comes again later stays', async () => {
    const sub = 'alice'
    const deals = [{ key: 'd1', name: 'first' }, { key: 'd2', name: 'x' }, { key: 'd1', name: 'last' }, { kind: 'gone', key: 'd2' }] // biome-ignore format: one line
    const { said } = await send('?source=crm', deals)
    expect(said.at(-1)).toMatchObject({ applied: 4, rejected: 0, passed: 0 })
    const rows = await rowsOf(sub)
    expect(rows.filter(({ id }) => id === 'd1')).toMatchObject([{ by: 'crm', row: { name: 'last' } }])
    expect(rows.filter(({ id, row }) => id === 'd2' && row)).toEqual([])

    // A webhook of the same source and stamp is the same change.
    const stamped = { key: 'd3', name: 'x', at: 1_700_000_000_000_000, team: 'alice' }
    expect((await send('?source=crm', [stamped])).said.at(-1)).toMatchObject({ applied: 1 })
    const webhook = await sendWebhook(place.post, stamped)
    expect([webhook.status, webhook.body.verdicts]).toEqual([200, [{ verdict: 'duplicate' }]])
  })

  it('P5 is sent again with the same stamp as duplicates', async () => {
    const at = 1_700_000_000_000_001
    const deals = Array.from({ length: 30 }, (_, n) => ({ key: `p${n}`, name: `n${n}` }))
    expect((await send(`?source=crm&at=${at}`, deals)).said.at(-1)).toEqual(total(30, 30, 0, 0))
    expect((await send(`?source=crm&at=${at}`, deals)).said.at(-1)).toEqual(total(30, 0, 0, 0, { duplicate: 30 }))
  })

  it('P11 writes what the token may, and of that what the source may', async () => {
    const deals = [{ key: 'q1', name: 'x', team: 'team:1' }, { key: 'q2', name: 'x', team: 'team:2' }, { key: 'q3', name: 'x', team: 'bob' }, { key: 'q4', name: 'x' }] // biome-ignore format: one line
    const { said } = await send('?source=crm', deals, { sub: 'bob' })
    expect(said.map(({ line, error, text }) => [line, error?.code, error?.retryable, text]).slice(0, 3)).toEqual([
      [2, 'forbidden_scope', 'with_another_token', JSON.stringify(deals[1])],
      [3, 'forbidden_scope', false, JSON.stringify(deals[2])],
      [4, 'forbidden_scope', false, JSON.stringify(deals[3])],
    ])
    expect(said.at(-1)).toEqual(total(4, 1, 3, 0))
    expect((await rowsOf('bob', ['team:1'])).filter(({ id }) => id.startsWith('q')).map(({ id }) => id)).toEqual(['q1'])
    expect((await send('?source=crm&scope=team:1', [{ key: 'q5', name: 'x' }], { sub: 'bob' })).said.at(-1)).toEqual(total(1, 1, 0, 0)) // biome-ignore format: one line
  })

  it('P12 of none, of all passed over, of all refused, of more than a change set holds, and with the headers of the request', async () => {
    expect((await send('?source=crm', '')).said).toEqual([{ lines: 0, applied: 0, duplicate: 0, stale: 0, rejected: 0, done: true }]) // biome-ignore format: one line
    const pings = Array.from({ length: limits.importLinesMax + 3 }, () => ({ kind: 'ping' }))
    expect((await send('?source=crm', pings)).said.at(-1)).toEqual(total(pings.length, 0, 0, pings.length))
    expect((await send('?source=crm', [{ key: 1 }], { headers: { 'x-kind': 'ping' } })).said.at(-1)).toEqual(total(1, 0, 0, 1)) // biome-ignore format: one line
    const lost = Array.from({ length: limits.importRejectedMax + 5 }, () => ({ kind: 'lost' }))
    const { said } = await send('?source=crm', lost)
    expect(said.filter(({ text }) => text === '{"kind":"lost"}')).toHaveLength(limits.importRejectedMax)
    expect(said.at(-1)).toEqual(total(lost.length, 0, lost.length, 0, { unlisted: { invalid_change: 5 } }))
    const many = [
      { key: 'm1', many: 3_000 },
      { key: 'm2', many: 3_000 },
      { key: 'm3', many: limits.changesMax },
    ]
    const { said: told } = await send('?source=crm', many)
    expect(told.find(({ error }) => error)).toMatchObject({
      line: 3,
      error: { detail: expect.stringContaining('more than 5000 changes') },
    })
    expect(told[0]).toMatchObject({ lines: 2, applied: 6_002 })
    expect(told.at(-1)).toEqual(total(3, 6_002, 1, 0))
  })

  it('P12 refuses a change that a mapping made too large, and names the line once whatever is wrong with its changes', async () => {
    const large = { kind: 'large', key: 'big', name: 'x'.repeat(1_000) }
    const twice = { key: 'twice', name: 7, tags: ['a\u0000', 'b\u0000', 'c'] }
    const { said } = await send('?source=crm', [large, twice])
    expect(said.slice(0, 2)).toEqual([
      { line: 1, error: expect.objectContaining({ code: 'too_large' }), text: JSON.stringify(large) },
      { line: 2, error: expect.objectContaining({ detail: 'lists.name must be text.' }), text: JSON.stringify(twice) },
    ])
    expect(said.at(-1)).toEqual(total(2, 1, 2, 0))
  })

  it('names a source that there is not, or that has no mapping, in the same words, and a client that is another', async () => {
    const refused = { status: 400, problem: { code: 'malformed', detail: '"source" must be a source of webhooks that has a mapping on this server.' } } // biome-ignore format: one line
    for (const name of ['nobody', 'plain', 'toString', ''])
      expect(await send(`?source=${name}`, [{}])).toMatchObject(refused)
    expect(await send('?source=crm&client=phone', [{}])).toMatchObject({ status: 400, problem: { detail: '"client" is the source here: leave it out.' } }) // biome-ignore format: one line
    expect((await send('?source=crm&client=crm', [{ kind: 'ping' }])).status).toBe(200)
    expect(await send('?source=crm&at=5', [{}])).toMatchObject({ status: 400, problem: { code: 'malformed' } })
    expect(await send('?source=crm', '[{"key":1}]')).toMatchObject({ status: 400, problem: { code: 'malformed' } })
  })
})

describe('an import by a source', () => {
  it('P11 logs that a mapping failed once, however many lines it fails on, and no word of it', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    const { post, close } = await startApp('libsql file')
    const headers = { Authorization: `Bearer ${await signToken(testSecret, { sub: 'alice' })}`, 'Content-Type': 'application/x-ndjson' } // biome-ignore format: one line
    const body = '{"kind":"bug","name":"mine"}\n'.repeat(50)
    const answer = await (await post('/v1/import?source=crm', { method: 'POST', headers, body })).text()
    const lines = logged.mock.calls.map(([line]) => String(line))
    logged.mockRestore()
    await close()
    expect(answer.match(/it failed\./g)).toHaveLength(50)
    expect(lines.filter((line) => line.includes('"where":"import crm"'))).toHaveLength(1)
    expect(lines.join() + answer).not.toContain('secret of')
  })
})
