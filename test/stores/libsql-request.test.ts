import { createClient } from '@libsql/client/http'
import { describe, expect, it } from 'vitest'
import type { Statement } from '../../src/sql/statement.ts'
import { libsqlStore, libsqlUrlStore } from '../../src/stores/libsql/http.ts'

const statements: readonly Statement[] = [
  { sql: 'SELECT ?1, ?2, ?3', params: ['é"\\\u0001', 9_007_199_254_740_991, null] },
  { sql: 'SELECT 1', params: [] },
  { sql: 'INSERT INTO a VALUES (?1)', params: [-5] },
]
const cell = { type: 'text', value: 'x' }
const result = { cols: [{ name: 'a', decltype: null }], rows: [[cell]], affected_row_count: 0, last_insert_rowid: null }
const batchOf = (steps: number) => ({ step_results: Array(steps).fill(result), step_errors: Array(steps).fill(null) })
const answerTo = (steps: number, before: readonly string[] = []) => ({
  baton: null,
  base_url: null,
  results: [...before, 'batch', 'close'].map((type) => ({
    type: 'ok',
    response: { type, ...(type === 'batch' && { result: batchOf(steps) }) },
  })),
})

interface Asked {
  readonly url: string
  readonly token: string | null
  readonly steps: readonly object[]
}

/** What is asked, answered in every step by one row. */
function listen() {
  const asked: Asked[] = []
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    if (request.method === 'GET') return new Response(null, { status: 200 })
    const body = (await request.json()) as {
      requests: { type: string; sql_id?: number; sql?: string; batch?: { steps: Step[] } }[]
    }
    const texts = new Map(
      body.requests.flatMap(({ sql_id, sql }) => (sql_id === undefined ? [] : [[sql_id, sql] as const])),
    )
    const steps = body.requests.find(({ type }) => type === 'batch')?.batch?.steps ?? []
    asked.push({
      url: request.url,
      token: request.headers.get('authorization'),
      steps: steps.map(({ condition, stmt: { sql, sql_id = -1, args = [] } }) => ({
        condition,
        sql: sql ?? texts.get(sql_id),
        args,
      })),
    })
    const before = body.requests.slice(
      0,
      body.requests.findIndex(({ type }) => type === 'batch'),
    )
    return Response.json(
      answerTo(
        steps.length,
        before.map(({ type }) => type),
      ),
    )
  }
  return { asked, fetch }
}
interface Step {
  readonly condition?: object
  readonly stmt: { readonly sql?: string; readonly sql_id?: number; readonly args?: readonly object[] }
}

describe('a batch over HTTP', () => {
  it.each([
    ['read', statements.map((one): Statement => ({ ...one, reads: true }))],
    ['write', statements],
    ['write', [...statements, ...statements]],
  ] as const)('is the request that the package of libSQL makes, to %s', async (mode, some) => {
    const url = 'libsql://name.turso.io'
    const [theirs, ours] = [listen(), listen()]
    await createClient({ url, authToken: 'token', fetch: theirs.fetch }).batch(
      some.map(({ sql, params }) => ({
        sql,
        args: params.map((value) => (typeof value === 'number' ? BigInt(value) : value)),
      })),
      mode,
    )
    expect(await libsqlStore({ url, authToken: 'token', fetch: ours.fetch }).batch('', some)).toEqual(
      some.map(() => [['x']]),
    )
    expect(ours.asked).toEqual(theirs.asked)
    expect(ours.asked).toMatchObject([{ url: 'https://name.turso.io/v2/pipeline', token: 'Bearer token' }])
  })

  it.each([
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/v2/pipeline', null],
    ['libsql://127.0.0.1:8080?tls=0', 'http://127.0.0.1:8080/v2/pipeline', null],
    ['libsql://name.turso.io?authToken=in%20url&tls=1', 'https://name.turso.io/v2/pipeline', 'Bearer in url'],
    ['https://host.example/below/', 'https://host.example/below/v2/pipeline', null],
  ])('goes where the package of libSQL goes, by batch and by rehearsal: %s', async (url, pipeline, token) => {
    const [theirs, ours] = [listen(), listen()]
    await createClient({ url, fetch: theirs.fetch }).batch([{ sql: 'SELECT 1', args: [] }], 'read')
    const store = libsqlStore({ url, fetch: ours.fetch })
    await store.batch('', [{ sql: 'SELECT 1', params: [], reads: true }])
    await store.rehearse?.('', { opening: [], groups: [], closing: [] })
    const places = [...theirs.asked, ...ours.asked].map(({ url: to, token: by }) => [to, by])
    expect(places).toEqual(Array(3).fill([pipeline, token]))
  })

  it('says what the database said, by its code, and takes what the server says itself for a fault that passes', async () => {
    const refused = { message: 'SQLite error: UNIQUE constraint failed: a.b', code: 'SQLITE_CONSTRAINT' }
    const saying = (answer: () => Response) =>
      libsqlStore({ url: 'https://host.example', fetch: async () => answer() }).batch('', statements)
    const ended = (step_errors: unknown[]) => () =>
      Response.json({
        results: [
          { type: 'ok', response: { type: 'batch', result: { step_results: Array(6).fill(null), step_errors } } },
        ],
      })
    await expect(saying(ended([null, refused, null, null, null, null]))).rejects.toMatchObject({
      ...{ kind: 'refused', code: 'SQLITE_CONSTRAINT', constraint: 'a.b' },
      message: 'SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed: a.b',
    })
    await expect(
      saying(ended([{ message: 'busy', code: 'SQLITE_BUSY' }, null, null, null, null, null])),
    ).rejects.toMatchObject({ kind: 'transient' })
    // What only the commit finds.
    await expect(
      saying(
        ended([null, null, null, null, { message: 'FOREIGN KEY constraint failed', code: 'SQLITE_CONSTRAINT' }, null]),
      ),
    ).rejects.toMatchObject({ kind: 'refused' })
    const whole = { type: 'error', error: { message: 'stream not found', code: null } }
    for (const answer of [
      () => Response.json({ results: [whole] }),
      () => Response.json({ results: [] }),
      () => new Response('no', { status: 502 }),
      () => new Response('no JSON'),
    ])
      await expect(saying(answer)).rejects.toMatchObject({ kind: 'transient' })
  })

  it('has so many requests under way as were asked for, and every one ends', async () => {
    let [underWay, most] = [0, 0]
    const { fetch } = globalThis
    globalThis.fetch = async () => {
      most = Math.max(most, ++underWay)
      await new Promise((resolve) => setTimeout(resolve, 1))
      underWay--
      return Response.json(answerTo(4))
    }
    try {
      const store = libsqlUrlStore('https://host.example', { atOnceMax: 3 })
      await Promise.all(Array.from({ length: 20 }, () => store.batch('', statements.slice(0, 1))))
      expect([most, underWay]).toEqual([3, 0])
    } finally {
      globalThis.fetch = fetch
    }
  })
})
