import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openClient } from '../../src/client/client.ts'
import { fromNode } from '../../src/client/storage/drivers.ts'
import { memory } from '../../src/client/storage/memory.ts'
import { sqlite } from '../../src/client/storage/sqlite.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { schema } from '../support/schema.ts'
import { type ServerProcess, startServer, testSecret } from '../support/server.ts'

const storages = {
  memory: () => memory(),
  'node:sqlite': () => sqlite(fromNode(new DatabaseSync(':memory:'))),
}

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

function open(name: keyof typeof storages, scope: string, more: object = {}) {
  return openClient({
    schema,
    url: server.url,
    storage: storages[name](),
    scope,
    token: () => signToken(testSecret, { sub: scope }),
    ...more,
  })
}

describe.each(Object.keys(storages) as (keyof typeof storages)[])('a client over %s', (name) => {
  it('C1 C3 two phones hold the same rows after a sync', async () => {
    const user = someone()
    const [one, other] = [await open(name, user), await open(name, user)]
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
})
