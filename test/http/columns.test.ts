import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { put } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { dialectStores, openTestStore, type TestStore } from '../support/stores.ts'

describe.each(dialectStores)('what an app says that it knows, on %s', (name) => {
  let opened: TestStore
  let call: (path: string, body?: object) => Promise<{ status: number; answer: Answer; etag: string | null }>
  beforeAll(async () => {
    opened = await openTestStore(name)
    const app = createApp({ schema, store: opened.store, auth: { secret: testSecret } })
    const token = await signToken(testSecret, { sub: 'alice' })
    call = async (path, body) => {
      const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) }
      const init = body ? { method: 'POST', body: JSON.stringify(body) } : {}
      const response = await app.request(path, { ...init, headers })
      return { status: response.status, answer: (await response.json()) as Answer, etag: response.headers.get('etag') }
    }
    const pushed = await call('/v1/push', {
      client: 'a',
      changes: [put('a', 0, 'T', { notes: 'n' })],
    })
    expect(pushed).toMatchObject({ answer: { verdicts: [{ verdict: 'applied' }] } })
  })
  afterAll(() => opened.close())
  interface Answer {
    readonly changes?: { row: object }[]
    readonly detail?: string
    readonly code?: string
  }
  const inUrl = (columns: unknown) => `/v1/pull?columns=${encodeURIComponent(JSON.stringify(columns))}`
  const rowsOf = ({ answer }: { answer: Answer }) => answer.changes?.map(({ row }) => row)

  it('goes in the URL and in the body, by a version and by names', async () => {
    for (const columns of [1, 7, { todos: ['title', 'notes'] }, { todos: [], lists: ['name'] }, {}]) {
      const rows = rowsOf(await call('/v1/pull', { columns }))
      expect(rowsOf(await call(inUrl(columns)))).toEqual(rows)
      expect(rowsOf(await call('/v1/sync', { client: 'a', cursor: null, columns }))).toEqual(rows)
      if (typeof columns === 'number') expect(Object.keys(rows?.[0] ?? {})).toHaveLength(6)
      else expect(rows).toEqual(columns.todos?.length ? [{ title: 'T', notes: 'n' }] : [])
    }
  })

  it.each(
    [0, -1, 1.5, 2 ** 53, 'all', true, null, [], ['todos'], { todos: 'title' }, { todos: [1] }, { todos: null }].map(
      (columns) => ({ columns }),
    ),
  )('is refused with a sentence where it is neither: $columns', async ({ columns }) => {
    const sentence = { code: 'malformed', detail: expect.stringMatching(/^"columns" must be the version of the app/) }
    for (const path of ['/v1/pull', '/v1/push', '/v1/sync']) {
      const { status, answer } = await call(path, { ...(path !== '/v1/pull' && { client: 'a' }), columns })
      expect([status, answer]).toMatchObject([400, sentence])
    }
    const { status, answer } = await call(inUrl(columns))
    expect([status, answer]).toMatchObject([400, sentence])
  })

  it('may be anything else: names that are in every object, names that nobody has, and a new set in each request', async () => {
    const odd = JSON.parse('{"__proto__":["constructor"],"constructor":["x"],"todos":["__proto__","title","toString"]}')
    expect(rowsOf(await call('/v1/pull', { columns: odd }))).toEqual([{ title: 'T' }])
    expect((await call('/v1/pull?columns=no')).status).toBe(400)
    expect((await call('/v1/pull?columns=1&columns=2')).status).toBe(400)
    const columns = Object.keys({ title: 1, done: 1, priority: 1, notes: 1, amount: 1, list_id: 1 })
    for (let set = 1; set < 64; set++) {
      const some = columns.filter((_, place) => set & (1 << place))
      expect(Object.keys(rowsOf(await call('/v1/pull', { columns: { todos: some } }))?.[0] ?? {})).toEqual(some)
    }
  })
})
