import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { check } from '../../src/migrations/check.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { documentsOf } from '../../src/openapi/documents.ts'
import { prune } from '../../src/prune/prune.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { roomSql } from '../../src/sql/room-sql.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createRecorder } from '../../src/webhooks/out/record.ts'
import { principal } from '../support/sample.ts'
import { allStoreNames, openTestStore, type TestStore } from '../support/stores.ts'

const schema = defineSchema({})
const alice = principal('alice')
const secret = 'x'.repeat(32)
const endpoint = { name: 'a', url: 'https://example.com/', secret: `whsec_${btoa('x'.repeat(32))}` }
const change = { table: 'todos', op: 'put', id: '1', at: 1, row: {} }

describe.each(allStoreNames)('a schema without tables, on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name, schema)
  })
  afterAll(() => opened.close())

  it('P1 P2 pulls nothing, from the beginning, from a cursor and as a stream, and rejects every push', async () => {
    const { store } = opened
    const sync = createSync({ schema, store })
    const push = { client: 'a', changes: [change] } as never
    for (let round = 1; round <= 2; round++) {
      expect((await sync.push(alice, push)).verdicts).toMatchObject([
        { verdict: 'rejected', error: { code: 'unknown_table', detail: 'The server has no table yet.' } },
      ])
      const { changes, cursor } = await sync.pull(alice)
      expect(changes).toEqual([])
      expect((await sync.pull(alice, { cursor })).changes).toEqual([])
      expect(await sync.sync(alice, { client: 'a', changes: [], cursor })).toMatchObject({ verdicts: [], changes: [] })
      // What a scope is to a table that comes: as if somebody had written already.
      await store.batch('alice', [
        {
          sql: "INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('alice', 'x', 3, 0, 9007199254740) ON CONFLICT DO NOTHING",
          params: [],
        },
      ])
    }
  })

  it('serves its routes: health, pages, a stream, its documents', async () => {
    const { store } = opened
    const app = createApp({ schema, store, auth: { secret }, documents: documentsOf(schema), scopeRowsMax: 5, scopeBytesMax: 5000 }) // biome-ignore format: one line
    const headers = { Authorization: `Bearer ${await signToken(secret, { sub: 'alice' })}` }
    const ask = (path: string, init: RequestInit = {}) =>
      app.fetch(new Request(`http://localhost${path}`, { ...init, headers: { ...headers, ...init.headers } }))
    expect((await ask('/health')).status).toBe(200)
    const lines = await (await ask('/v1/pull', { headers: { Accept: 'application/x-ndjson' } })).text()
    expect(
      lines
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ rows: 0 }, { more: false }])
    const body = JSON.stringify({ client: 'phone-1', cursor: null, changes: [change] })
    const answer = await ask('/v1/sync', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
    expect([answer.status, await answer.json()]).toMatchObject([
      200,
      { verdicts: [{ error: { code: 'unknown_table' } }] },
    ])
    expect((await ask('/openapi.json')).status).toBe(200)
  })

  it('is checked and pruned, and its rooms and deliveries are asked', async () => {
    const { store } = opened
    if (name !== 'durable-object') expect(await check(store, schema)).toEqual([])
    await prune(store, schema, { retentionMs: 1 })
    expect(roomSql(store.dialect, schema, true).counts).toEqual([])
    const record = createRecorder(store.dialect, schema, [endpoint])
    const sync = createSync({ schema, store, record })
    await store.batch(
      'alice',
      record('alice', 1).map(({ sql, params: [name = '', id = '', at = 1] }) => ({
        sql,
        params: ['alice', 1, name, id, at],
      })),
    )
    expect((await sync.push(alice, { client: 'a', changes: [] })).verdicts).toEqual([])
  })
})
