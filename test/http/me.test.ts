import { expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import type { Store } from '../../src/stores/store.ts'
import { noon } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { openTestStore } from '../support/stores.ts'

/** A store that answers nothing: whoever asks it fails. */
const { store } = await openTestStore('libsql file')
const silent: Store = {
  ...store,
  batch: () => {
    throw new Error('The database was asked')
  },
}
const app = createApp({ schema, store: silent, auth: { secret: testSecret }, now: () => noon / 1000 })
const ask = async (path: string, init: RequestInit = {}, claims: object = {}) => {
  const token = await signToken(testSecret, { sub: 'alice', scopes: [{ id: 'news', access: 'read' }], ...claims })
  return app.request(path, { ...init, headers: { Authorization: `Bearer ${token}` } })
}

it('GET /v1/me tells who a token is of, its scopes, its end and the time, and asks no database', async () => {
  const answer = await ask('/v1/me')
  expect(answer.status).toBe(200)
  expect(answer.headers.get('cache-control')).toBe('no-store')
  const me = await answer.json()
  expect(me).toEqual({
    now: noon,
    subject: 'alice',
    scopes: [
      { id: 'alice', access: 'write' },
      { id: 'news', access: 'read' },
    ],
    expires_at: expect.any(Number),
  })
  expect(Math.abs(me.expires_at / 1000 - Date.now() - 86_400_000)).toBeLessThan(60_000)
})

it('GET /v1/me takes no parameter, no other method and no wrong token', async () => {
  expect((await ask('/v1/me?sub=bob')).status).toBe(400)
  const posted = await ask('/v1/me', { method: 'POST', body: '{}' })
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  expect((await ask('/v1/me', { method: 'HEAD' })).status).toBe(200)
  expect((await ask('/v1/me', {}, { seconds: -3600 })).status).toBe(401)
  expect((await app.request('/v1/me')).status).toBe(401)
})

it('a pull tells how many rows are to come where that is asked for, and a stream with the time', async () => {
  const counted = createApp({ schema, store, auth: { secret: testSecret }, now: () => noon / 1000 })
  const Authorization = `Bearer ${await signToken(testSecret, { sub: 'counted' })}`
  const send = async (path: string, body?: object, accept = 'application/json') =>
    counted.request(path, {
      method: body ? 'POST' : 'GET',
      headers: { Authorization, Accept: accept, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
  const changes = ['a', 'b', 'c'].map((id) => ({ table: 'todos', op: 'put', id, at: noon, row: { title: id } }))
  await send('/v1/push', { client: 'phone', changes })
  expect(await (await send('/v1/pull?count=true&limit=1')).json()).toMatchObject({ rows: 3, more: true, now: noon })
  const first = await (await send('/v1/pull', { count: true, limit: 2 })).json()
  expect(first).toMatchObject({ rows: 3, more: true })
  expect(await (await send('/v1/pull', { count: true, cursor: first.cursor })).json()).toMatchObject({ rows: 1 })
  for (const path of ['/v1/pull', '/v1/pull?count=false'])
    expect(Object.keys(await (await send(path)).json())).toEqual(['now', 'changes', 'cursor', 'more'])
  expect((await send('/v1/pull?count=yes')).status).toBe(400)
  expect((await send('/v1/pull', { count: 1 })).status).toBe(400)
  const lines = (await (await send('/v1/pull', undefined, 'application/x-ndjson')).text()).split('\n')
  expect(JSON.parse(lines[0] ?? '')).toEqual({ rows: 3, now: noon })
})

it('an atomic change set that is rejected, and a cursor of another history, tell the time', async () => {
  const timed = createApp({ schema, store, auth: { secret: testSecret }, now: () => noon / 1000 })
  const Authorization = `Bearer ${await signToken(testSecret, { sub: 'timed' })}`
  const push = async (body: object) =>
    timed.request('/v1/sync', {
      method: 'POST',
      headers: { Authorization, 'Content-Type': 'application/json' },
      body: JSON.stringify({ client: 'phone', ...body }),
    })
  const missing = { table: 'todos', op: 'patch', id: 'none', at: noon, row: { done: true } }
  const atomic = await push({ atomic: true, changes: [missing] })
  expect([atomic.status, await atomic.json()]).toMatchObject([422, { code: 'atomic_rejected', now: noon, index: 0 }])
})
