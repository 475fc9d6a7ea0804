import { chmod, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { createHealth, driftlineColumns } from '../../src/http/health.ts'
import { deliveryColumns, inboxColumns, markColumns, scopeColumns } from '../../src/migrations/ddl.ts'
import { readMigrations } from '../../src/migrations/read.ts'
import { integer, text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { findDatabases } from '../../src/runtime/node/databases.ts'
import { sqlite } from '../../src/sql/sqlite/dialect.ts'
import { durableObjectStore } from '../../src/stores/durable-object.ts'
import { type Store, StoreFault } from '../../src/stores/store.ts'
import { create, openUrls, query } from '../support/many.ts'
import { sampleMigrations } from '../support/migrations.ts'
import { schema } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { openTestStore, storeNames, type TestStore, temporaryFolder } from '../support/stores.ts'

const auth = { secret: testSecret }
async function health(store: Store, of: object = schema) {
  const answer = await createApp({ schema: of as typeof schema, store, auth }).request('/health')
  const body = (await answer.json()) as { status: unknown; code?: string; title?: string }
  return [answer.status, body.code ?? body.status, answer.headers.get('retry-after')]
}
const ok = [200, 'ok', null]
const behind = [503, 'schema_behind', '30']
const away = [503, 'unavailable', '2']
const [todos, lists] = [{ title: text(), priority: integer() }, { name: text() }]

describe.each(storeNames)('/health over %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())
  const exec = (sql: string) => opened.store.batch('', [{ sql, params: [] }])

  it('says ok, and schema_behind where a table or column is missing that this version needs', async () => {
    expect(await health(opened.store)).toEqual(ok)
    expect(await health(opened.store, defineSchema({ todos, lists }))).toEqual(ok)
    for (const newer of [
      { todos, lists, more: lists },
      { todos: { ...todos, urgency: integer() }, lists },
    ])
      expect(await health(opened.store, defineSchema(newer))).toEqual(behind)
    for (const [table, [column]] of Object.entries(driftlineColumns)) {
      await exec(`ALTER TABLE ${table} RENAME TO gone`)
      expect([table, ...(await health(opened.store))]).toEqual([table, ...behind])
      await exec(`ALTER TABLE gone RENAME TO ${table}`)
      await exec(`ALTER TABLE ${table} RENAME COLUMN ${column} TO gone`)
      expect([table, ...(await health(opened.store))]).toEqual([table, ...behind])
      await exec(`ALTER TABLE ${table} RENAME COLUMN gone TO ${column}`)
    }
    await exec('ALTER TABLE todos RENAME COLUMN position TO gone')
    expect(await health(opened.store)).toEqual(behind)
    await exec('ALTER TABLE todos RENAME COLUMN gone TO position')
    expect(await health(opened.store)).toEqual(ok)
  })
})

describe('/health', () => {
  it('asks for the columns of driftline that migrations make', () => {
    const made = { driftline_scopes: scopeColumns, driftline_marks: markColumns, driftline_inbox: inboxColumns }
    const all = { ...made, driftline_deliveries: deliveryColumns }
    const names = Object.entries(all).map(([table, columns]) => [table, columns.map(({ name }) => name).toSorted()])
    expect(Object.entries(driftlineColumns).map(([table, columns]) => [table, columns.toSorted()])).toEqual(names)
  })

  it('asks every shard and the directory', async () => {
    const urls = await create(3)
    const store = await openUrls(urls)
    expect(await health(store)).toEqual(ok)
    for (const [url, table] of [
      [urls[0], 'driftline_homes'],
      [urls[0], 'driftline_shards'],
      [urls[0], 'todos'],
      [urls[2], 'todos'],
      [urls[1], 'driftline_inbox'],
    ] as const) {
      await query(url as string, `ALTER TABLE ${table} RENAME TO gone`)
      expect([table, ...(await health(store))]).toEqual([table, ...behind])
      await query(url as string, `ALTER TABLE gone RENAME TO ${table}`)
    }
    expect(await health(store)).toEqual(ok)
    await store.close()
  })

  it("opens no scope's file and makes none, and says where none could be made", async () => {
    const { folder, drop } = await temporaryFolder()
    const store = await findDatabases(`file:${join(folder, 'data', '{scope}.db')}`, schema).open(
      await readMigrations('sqlite', sampleMigrations),
    )
    expect(await health(store)).toEqual(ok)
    expect(await readdir(folder)).toEqual([])
    await mkdir(join(folder, 'data'))
    expect(await health(store)).toEqual(ok)
    expect(await readdir(join(folder, 'data'))).toEqual([])
    await chmod(join(folder, 'data'), 0o500)
    // To root every folder is open.
    if (process.getuid?.() !== 0) expect(await health(store)).toEqual(away)
    await chmod(join(folder, 'data'), 0o700)
    await store.close()
    await drop()
  })

  it('wakes no Durable Object', async () => {
    const getByName = () => {
      throw new Error('somebody is woken')
    }
    expect(await health(durableObjectStore({ getByName }))).toEqual(ok)
  })

  const base = { dialect: sqlite, async close() {} }
  it('answers in its time whatever hangs, and asks once for all who wait', async () => {
    let asked = 0
    const hanging: Store = {
      ...base,
      batch() {
        asked++
        return new Promise(() => {})
      },
    }
    const app = createApp({ schema, store: hanging, auth })
    const answers = await Promise.all(Array.from({ length: 20 }, () => app.request('/health')))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(503))
    expect(asked).toBe(1)
  })

  it('is asked of a database once a second, and shares faults as well', async () => {
    let asked = 0
    let fault: StoreFault | undefined
    const counting: Store = {
      ...base,
      async batch() {
        asked++
        if (fault) throw fault
        return []
      },
    }
    const check = createHealth({ schema, store: counting })
    for (let n = 0; n < 50; n++) await check()
    expect(asked).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    fault = new StoreFault('transient', { message: 'away' })
    for (let n = 0; n < 50; n++) await expect(check()).rejects.toBe(fault)
    expect(asked).toBe(2)
  })

  it("blames a database for nothing but its own: a fault of the issuer's keys leaves it as it is", async () => {
    const jwksUrl = 'http://127.0.0.1:9/none'
    const opened = await openTestStore('libsql file')
    const app = createApp({ schema, store: opened.store, auth: { jwksUrl } })
    const token = 'eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJhIiwiZXhwIjo5OTk5OTk5OTk5fQ.AAAA'
    const pull = await app.request('/v1/pull', { headers: { Authorization: `Bearer ${token}` } })
    expect(pull.status).toBe(503)
    expect(await pull.text()).not.toMatch(/database/i)
    expect((await app.request('/health')).status).toBe(200)
    await opened.close()
  })
})
