import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ForbiddenScopeError,
  ForeignDatabaseError,
  InvalidValueError,
  RejectedError,
  RowMissingError,
  UnsentError,
} from '../../src/client/errors.ts'
import { clientStorages, intercepting, openDevice, openPhone, problem, watched } from '../support/client.ts'
import { type ServerProcess, startServer } from '../support/server.ts'
import { temporaryFolder } from '../support/temporary.ts'

let server: ServerProcess
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
  server = await startServer({ DATABASE_URL: `file:${folder.folder}/server.db` })
})
afterAll(async () => {
  await server.stop()
  await folder.drop()
})

let users = 0
const someone = () => `client-${++users}`

describe.each(clientStorages)('a client over %s', (name) => {
  const device = () => openDevice(name, folder.folder)
  const phone = (user: string, more: Parameters<typeof openPhone>[3] = {}, storage = device()()) =>
    openPhone(server.url, storage, user, more)

  it('C1 C3 two phones hold the same rows after a sync', async () => {
    const user = someone()
    const [one, other] = [await phone(user), await phone(user)]
    await one.firstSync
    const { id, confirmed } = await one.tables.todos.insert({ title: 'Buy milk' })
    expect(await one.tables.todos.get(id)).toMatchObject({ id, scope: user, title: 'Buy milk', done: false })
    expect(await confirmed()).toBe('applied')
    await other.sync()
    expect(await other.tables.todos.get(id)).toEqual(await one.tables.todos.get(id))
    await other.tables.todos.update(id, { done: true })
    const rows = other.tables.todos.query({ where: { done: true } })
    expect((await rows.rows()).map((row) => row.id)).toEqual([id])
    expect((await other.sync()).upToDate).toBe(true)
    await one.sync()
    expect((await one.tables.todos.get(id))?.done).toBe(true)
    await one.tables.todos.delete(id)
    await one.sync()
    await other.sync()
    expect(await other.tables.todos.get(id)).toBeUndefined()
    expect(await rows.rows()).toEqual([])
    await Promise.all([one.close(), other.close()])
  })

  it('C1 C2 what is written offline is there after a restart, and goes out with the network', async () => {
    const user = someone()
    const open = device()
    let offline = true
    const fetch = intercepting(() => {
      if (offline) throw new TypeError('offline')
      return undefined
    })
    const first = await phone(user, { fetch }, open())
    await first.tables.todos.insert({ id: 'a', title: 'one' })
    await first.tables.todos.update('a', { done: true })
    await first.tables.todos.insert({ id: 'b', title: 'two' })
    await first.tables.todos.delete('b')
    expect(await first.sync()).toMatchObject({
      state: 'waiting',
      pending: 2,
      upToDate: false,
      error: { code: 'network' },
    })
    await first.close()
    const again = await phone(user, { fetch }, open())
    expect(await again.tables.todos.get('a')).toMatchObject({ title: 'one', done: true })
    expect(await again.tables.todos.state('a')).toBe('pending')
    expect(again.status.get().pending).toBe(2)
    offline = false
    expect(await again.sync()).toMatchObject({ state: 'idle', pending: 0, upToDate: true, error: null })
    expect(await again.tables.todos.state('a')).toBe('synced')
    await again.close()
  })

  it('edits of different columns both survive, and of the same the later, with a notice', async () => {
    const user = someone()
    const [one, other] = [await phone(user), await phone(user)]
    await one.tables.todos.insert({ id: 'a', title: 'first' })
    await one.sync()
    await other.sync()
    one.pause()
    await one.tables.todos.update('a', { title: 'by one', notes: 'n' })
    await new Promise((resolve) => setTimeout(resolve, 5))
    await other.tables.todos.update('a', { done: true, notes: 'theirs' })
    await other.sync()
    one.resume()
    await one.sync()
    await other.sync()
    for (const client of [one, other])
      expect(await client.tables.todos.get('a')).toMatchObject({ title: 'by one', done: true, notes: 'theirs' })
    expect(one.notices.get()).toMatchObject([{ kind: 'stale', rowId: 'a', mine: { notes: 'n' } }])
    const { confirmed } = await one.notices.restore(one.notices.get()[0]!.id)
    expect(await confirmed()).toBe('applied')
    expect(one.notices.get()).toEqual([])
    expect(await one.tables.todos.get('a')).toMatchObject({ notes: 'n' })
    await Promise.all([one.close(), other.close()])
  })

  it('a patch whose row is gone comes back, and goes as a whole row when it is tried again', async () => {
    const user = someone()
    const [one, other] = [await phone(user), await phone(user)]
    await one.tables.todos.insert({ id: 'a', title: 'first', notes: 'kept' })
    await one.sync()
    await other.sync()
    one.pause()
    await other.tables.todos.delete('a')
    await other.sync()
    const { confirmed } = await one.tables.todos.update('a', { title: 'late' })
    one.resume()
    await one.sync()
    await expect(confirmed()).rejects.toThrow(RejectedError)
    expect(await one.tables.todos.get('a')).toBeUndefined()
    expect(await one.tables.todos.state('a')).toBe('rejected')
    expect(one.notices.get()).toMatchObject([{ kind: 'row-deleted', mine: { title: 'late' } }])
    const [rejected] = one.rejected.get()
    expect(rejected).toMatchObject({ table: 'todos', rowId: 'a', error: { code: 'row_missing' } })
    await expect(one.destroy()).rejects.toThrow(UnsentError)
    expect(await (await one.rejected.retry(rejected!.id)).confirmed()).toBe('applied')
    expect(await one.tables.todos.get('a')).toMatchObject({ title: 'late', notes: 'kept' })
    expect(one.rejected.get()).toEqual([])
    await Promise.all([one.close(), other.close()])
  })

  it('an atomic transaction comes back whole, and others go on', async () => {
    const user = someone()
    const [one, other] = [await phone(user), await phone(user)]
    await one.tables.todos.insert({ id: 'a', title: 'first' })
    await one.sync()
    await other.sync()
    one.pause()
    await other.tables.todos.delete('a')
    await other.sync()
    const { confirmed } = await one.transaction(
      async (tx) => {
        await tx.todos.insert({ id: 'b', title: 'beside' })
        await tx.todos.update('a', { done: true })
      },
      { atomic: true },
    )
    await one.tables.todos.insert({ id: 'c', title: 'another' })
    one.resume()
    await one.sync()
    await expect(confirmed()).rejects.toThrow(RejectedError)
    expect(await one.tables.todos.get('b')).toBeUndefined()
    expect(await one.tables.todos.get('c')).toMatchObject({ title: 'another' })
    expect(one.rejected.get().map(({ rowId, error }) => [rowId, error.code])).toEqual([
      ['b', 'constraint'],
      ['a', 'row_missing'],
    ])
    expect(one.status.get()).toMatchObject({ pending: 0, rejected: 2, upToDate: true })
    await Promise.all([one.close(), other.close()])
  })

  it('a wrong value, a missing row and a foreign scope are refused at once, and nothing is stored', async () => {
    const user = someone()
    const one = await phone(user, { scopes: [{ id: 'news', access: 'read' }] })
    await one.firstSync
    await expect(one.tables.todos.insert({ title: 5 as never })).rejects.toThrow(InvalidValueError)
    await expect(one.tables.todos.insert({} as never)).rejects.toThrow(InvalidValueError)
    await expect(one.tables.todos.update('nope', { title: 'x' })).rejects.toThrow(RowMissingError)
    await expect(one.tables.todos.insert({ title: 'x' }, { scope: 'news' })).rejects.toThrow(ForbiddenScopeError)
    await expect(
      one.transaction(async (tx) => {
        await tx.todos.insert({ id: 'a', title: 'x' })
        throw new Error('mine')
      }),
    ).rejects.toThrow('mine')
    expect(one.status.get().pending).toBe(0)
    expect(await one.tables.todos.query().rows()).toEqual([])
    await one.close()
  })

  it('C10 a database of another scope or user is refused by name, and left as it is', async () => {
    const [user, other] = [someone(), someone()]
    const open = device()
    const one = await phone(user, {}, open())
    await one.tables.todos.insert({ id: 'a', title: 'x' })
    await one.sync()
    await one.close()
    if (name !== 'memory') await expect(phone(other, {}, open())).rejects.toThrow(ForeignDatabaseError)
    const { signToken } = await import('../../src/runtime/sign-token.ts')
    const { testSecret } = await import('../support/server.ts')
    const again = await phone(user, { token: () => signToken(testSecret, { sub: other, scopes: [user] }) }, open())
    await again.tables.todos.update('a', { title: 'y' })
    const status = await again.sync()
    if ((await server.request('GET', '/v1/me')).status === 200)
      expect(status).toMatchObject({ state: 'unauthorized', pending: 1, error: { code: 'another_subject' } })
    await again.close()
  })

  it.each([
    [
      'the network fails',
      () => {
        throw new TypeError('cut')
      },
      'waiting',
    ],
    ['500', () => problem(500, 'internal'), 'waiting'],
    ['503', () => problem(503, 'unavailable', {}, { 'Retry-After': '1' }), 'waiting'],
    ['429', () => problem(429, 'quota_exceeded', {}, { 'Retry-After': '1' }), 'waiting'],
    ['408', () => problem(408, 'request_timeout'), 'waiting'],
    ['400', () => problem(400, 'malformed'), 'waiting'],
    ['401', () => problem(401, 'unauthorized'), 'unauthorized'],
    ['a page of a proxy', () => new Response('<html>', { status: 200 }), 'waiting'],
    ['an empty answer', () => new Response('{}', { status: 200 }), 'waiting'],
  ] as const)('C2 nothing is dropped where the answer is: %s', async (_, answer, state) => {
    const user = someone()
    let broken = true
    const one = await phone(user, { fetch: intercepting(() => (broken ? answer() : undefined)) })
    await one.tables.todos.insert({ id: 'a', title: 'kept' })
    expect(await one.sync()).toMatchObject({ state, pending: 1, upToDate: false })
    broken = false
    expect(await one.sync()).toMatchObject({ state: 'idle', pending: 0, upToDate: true })
    expect(await one.tables.todos.get('a')).toMatchObject({ title: 'kept' })
    await one.close()
  })

  it.each([
    ['ahead', 86_400_000, true],
    ['ahead, of a server that tells no time', 86_400_000, false],
    ['behind', -86_400_000, true],
    ['of 1970', -Date.now(), true],
  ] as const)('C4 C5 what was written with a clock that was %s is applied, in its order', async (_, ms, tells) => {
    const user = someone()
    const real = Date.now
    let offline = true
    const stamps: number[] = []
    const fetch = intercepting((path, { changes = [] }) => {
      if (offline) throw new TypeError('offline')
      for (const { at } of changes as { at: number }[]) stamps.push(at)
      return path === '/v1/me' && !tells ? problem(404, 'not_found') : undefined
    })
    const { signToken } = await import('../../src/runtime/sign-token.ts')
    const { testSecret } = await import('../support/server.ts')
    const signed = await signToken(testSecret, { sub: user })
    const one = await phone(user, { fetch, token: () => signed })
    try {
      Date.now = () => real() + ms
      await one.tables.todos.insert({ id: 'a', title: 'one' })
      await one.tables.todos.insert({ id: 'b', title: 'two' })
      await one.transaction(async (tx) => {
        await tx.todos.update('a', { done: true })
      })
      offline = false
      const before = real()
      expect(await one.sync()).toMatchObject({ pending: 0, rejected: 0, upToDate: true })
      expect(await one.tables.todos.get('a')).toMatchObject({ title: 'one', done: true })
      const last = stamps.slice(-2)
      expect(Math.min(...last)).toBeGreaterThan((before - 60_000) * 1000)
      expect(Math.max(...last)).toBeLessThan((real() + 60_000) * 1000)
      // And what is written now is later than all of it.
      await one.tables.todos.update('a', { title: 'three' })
      expect(await one.sync()).toMatchObject({ pending: 0, rejected: 0 })
      expect(stamps.at(-1)).toBeGreaterThan(Math.max(...last))
    } finally {
      Date.now = real
      await one.close()
    }
    const other = await phone(user)
    await other.sync()
    expect(await other.tables.todos.get('a')).toMatchObject({ title: 'three', done: true })
    await other.close()
  })

  it.each([
    [
      'resyncs for ever',
      (path: string) => (path === '/v1/me' ? undefined : problem(410, 'resync', { scopes: [], cursor: null })),
    ],
    [
      'streams that end at once',
      (path: string) => (path === '/v1/pull' ? new Response('', { status: 200 }) : undefined),
    ],
  ] as const)('a server that %s is waited for, and not asked without end', async (_, answer) => {
    const user = someone()
    let requests = 0
    const fetch = intercepting((path) => {
      requests++
      return answer(path)
    })
    const one = await phone(user, { fetch })
    await one.tables.todos.insert({ id: 'a', title: 'kept' })
    expect(await one.sync()).toMatchObject({ state: 'waiting', pending: 1 })
    expect(requests).toBeLessThan(12)
    await one.close()
  })

  it('C2 C3 goes on after a crash before and after any of its writes', async () => {
    const user = someone()
    for (let at = 0; at < 24; at++) {
      const open = device()
      let left = at
      let crashed = false
      const storage = watched(open(), () => {
        if (left-- === 0 || crashed) {
          crashed = true
          throw new Error('crash')
        }
      })
      const run = async () => {
        const one = await phone(user, {}, storage)
        try {
          await one.tables.todos.insert({ id: `t${at}`, title: 'one' })
          await one.sync()
          await one.tables.todos.update(`t${at}`, { done: true })
          await one.sync()
        } finally {
          await one.close().catch(() => {})
        }
      }
      await run().catch(() => {})
      const again = await phone(user, {}, open())
      const before = await again.tables.todos.get(`t${at}`)
      expect(await again.sync(), `crash at ${at}`).toMatchObject({ pending: 0, rejected: 0, upToDate: true })
      const after = await again.tables.todos.get(`t${at}`)
      if (before) expect(after).toMatchObject(before)
      const fresh = await phone(user)
      await fresh.sync()
      expect(await fresh.tables.todos.query().rows()).toEqual(await again.tables.todos.query().rows())
      await Promise.all([again.close(), fresh.close()])
    }
  })

  it('after 410 the old rows stay until all have come anew, and none that is gone stays behind', async () => {
    const user = someone()
    let resync = false
    const fetch = intercepting((path) => {
      if (!resync || path !== '/v1/sync') return undefined
      resync = false
      return problem(410, 'resync', { reason: 'restored', scopes: [user], cursor: null })
    })
    const [one, other] = [await phone(user, { fetch }), await phone(user)]
    for (const id of ['a', 'b']) await one.tables.todos.insert({ id, title: id })
    await one.sync()
    one.pause()
    await other.sync()
    await other.tables.todos.delete('a')
    await other.sync()
    await one.tables.todos.insert({ id: 'c', title: 'mine' })
    resync = true
    one.resume()
    expect(await one.sync()).toMatchObject({ upToDate: true, pending: 0 })
    expect((await one.tables.todos.query().rows()).map(({ id }) => id)).toEqual(['b', 'c'])
    await Promise.all([one.close(), other.close()])
  })

  it('the rows of a scope that is gone go, and what waits for it comes back', async () => {
    const user = someone()
    let scopes: string[] = [`team-${user}`]
    const { signToken } = await import('../../src/runtime/sign-token.ts')
    const { testSecret } = await import('../support/server.ts')
    const one = await phone(user, { token: () => signToken(testSecret, { sub: user, scopes }) })
    const [scope] = scopes as [string]
    await one.tables.todos.insert({ id: 'a', title: 'shared' }, { scope })
    await one.tables.todos.insert({ id: 'b', title: 'own' })
    await one.sync()
    one.pause()
    await one.tables.todos.update('a', { title: 'late' }, { scope })
    scopes = []
    one.resume()
    await one.sync()
    expect((await one.tables.todos.query().rows()).map(({ id }) => id)).toEqual(['b'])
    expect(one.rejected.get()).toMatchObject([{ rowId: 'a', error: { code: 'forbidden_scope' } }])
    await one.close()
  })
})
