import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createImport } from '../../src/bulk/import.ts'
import { createApp } from '../../src/http/app.ts'
import { migrate } from '../../src/migrations/apply.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { integer, text, timestamp } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { durableObjectStore } from '../../src/stores/durable-object.ts'
import { adopted, sql } from '../../src/sync/adopted/adopted.ts'
import { createSweep } from '../../src/sync/adopted/sweep.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { createRecorder } from '../../src/webhooks/out/record.ts'
import { pullToJson, syncToJson } from '../../src/wire/answer.ts'
import { decodeRequest } from '../../src/wire/request.ts'
import { principal } from '../support/sample.ts'
import { dialectStores, openEmptyStore, type TestStore } from '../support/stores.ts'

const schema = defineSchema({
  teams: adopted('teams', {
    key: 'id',
    keyType: 'integer',
    scope: 'owner',
    columns: { name: text(), size: integer({ readonly: true }) },
  }),
  notes: adopted('notes', {
    key: 'slug',
    keyType: 'text',
    scope: sql("'team:' || team"),
    softDelete: 'deleted_at',
    columns: {
      team: text(),
      deleted: integer({ nullable: true }),
      title: text(),
      made: timestamp({ readonly: true, nullable: true }),
    },
  }),
})
const tables = {
  postgres: [
    'CREATE TABLE teams (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text, name text NOT NULL, size bigint GENERATED ALWAYS AS (length(name)) STORED)',
    'CREATE TABLE notes (slug text PRIMARY KEY, team text NOT NULL, title varchar(10) NOT NULL, deleted int, deleted_at timestamptz, made timestamptz DEFAULT now())',
  ],
  sqlite: [
    'CREATE TABLE teams (id INTEGER PRIMARY KEY, owner TEXT, name TEXT NOT NULL, size INTEGER GENERATED ALWAYS AS (length(name)) STORED)',
    'CREATE TABLE notes (slug TEXT PRIMARY KEY, team TEXT NOT NULL, title TEXT NOT NULL CHECK (length(title) <= 10), deleted INTEGER, deleted_at TEXT, made TEXT DEFAULT CURRENT_TIMESTAMP)',
  ],
}

describe.each(dialectStores)('the ways to and from tables of somebody else, on %s', (name) => {
  let opened: TestStore
  let people = 0
  const someone = () => `w${++people}`
  beforeAll(async () => {
    opened = await openEmptyStore(name)
    const { name: dialect } = opened.store.dialect
    await migrate(opened.store, [
      { name: '0001_app', statements: tables[dialect] },
      { name: '0002_adopt', statements: createTables(schema, dialect) },
    ])
  })
  afterAll(() => opened.close())
  const own = async (text: string) => (await opened.store.batch('', [{ sql: text, params: [] }]))[0] ?? []
  const operations = () => createOperations({ schema, store: opened.store })
  const push = async (who: string, ...changes: readonly object[]) =>
    JSON.parse(syncToJson(await operations().push(principal(who), decodeRequest({ client: 'a', changes }, 'sync'))))
      .verdicts as { verdict: string; error?: { code: string; detail: string }; current?: { row: object } }[]
  const pull = async (who: string) =>
    JSON.parse(pullToJson(await operations().pull(principal(who), { cursor: null, limit: 5_000, columns: 'all' })))
      .changes as { op: string; id: string; row?: Record<string, unknown>; by: string }[]
  const at = () => Date.now() * 1000

  it('rows whose keys are numbers are changed and deleted by phones, and made by the server', async () => {
    const who = someone()
    await own(`INSERT INTO teams (owner, name) VALUES ('${who}', 'one')`)
    const [row] = await pull(who)
    const id = String(row?.id)
    expect(row?.row).toEqual({ name: 'one', size: 3 })
    expect(await push(who, { table: 'teams', op: 'put', id, at: at(), row: { name: 'three' } })).toMatchObject([
      { verdict: 'applied', current: { row: { name: 'three', size: 5 } } },
    ])
    const made = await push(who, { table: 'teams', op: 'put', id: '999', at: at(), row: { name: 'x' } })
    expect(made).toMatchObject([
      {
        error: {
          code: 'invalid_id',
          detail: 'Rows of teams are made by the server. Phones may change and delete them.',
        },
      },
    ])
    for (const bad of ['01', '1.0', '-0', 'x', '9007199254740993'])
      expect(await push(who, { table: 'teams', op: 'delete', id: bad, at: at() })).toMatchObject([
        { error: { code: 'invalid_id' } },
      ])
    expect(await push(who, { table: 'teams', op: 'put', id, at: at(), row: { name: 'x', size: 1 } })).toMatchObject([
      { error: { code: 'invalid_value' } },
    ])
    expect(await push(who, { table: 'teams', op: 'delete', id, at: at() })).toMatchObject([{ verdict: 'applied' }])
    expect(await own(`SELECT id FROM teams WHERE owner = '${who}'`)).toEqual([])
  })

  it('what is deleted stays in the table, where deleting is an UPDATE, and comes back', async () => {
    const who = someone()
    const note = (title: string) => ({ table: 'notes', op: 'put', id: `n-${who}`, at: at(), row: { team: who, title } })
    const scope = `team:${who}`
    expect(await push(scope, note('a'))).toMatchObject([{ verdict: 'applied' }])
    expect(await push(scope, { table: 'notes', op: 'delete', id: `n-${who}`, at: at() })).toMatchObject([
      { verdict: 'applied' },
    ])
    expect(await own(`SELECT title FROM notes WHERE team = '${who}' AND deleted_at IS NOT NULL`)).toEqual([['a']])
    expect(await pull(scope)).toEqual([])
    await own(`UPDATE notes SET deleted_at = NULL WHERE team = '${who}'`)
    expect(await pull(scope)).toMatchObject([{ op: 'put', by: 'sql', row: { title: 'a', deleted: null } }])
    await own(
      `UPDATE notes SET deleted_at = ${opened.store.dialect.name === 'postgres' ? 'now()' : 'CURRENT_TIMESTAMP'} WHERE team = '${who}'`,
    )
    expect(await pull(scope)).toEqual([])
    expect(await push(scope, note('b'))).toMatchObject([{ verdict: 'applied' }])
    expect(await pull(scope)).toMatchObject([{ row: { title: 'b', made: expect.stringMatching(/^20.*Z$/) } }])
  })

  it('P20 a row whose expression says another scope is refused, and one that SQL moves leaves', async () => {
    const who = someone()
    const put = (team: string) => ({ table: 'notes', op: 'put', id: `m-${who}`, at: at(), row: { team, title: 'a' } })
    expect(await push(`team:${who}`, put('other'))).toMatchObject([{ error: { code: 'constraint' } }])
    expect(await push(`team:${who}`, put(who))).toMatchObject([{ verdict: 'applied' }])
    await own(`UPDATE notes SET team = '${who}x' WHERE team = '${who}'`)
    expect(await pull(`team:${who}`)).toEqual([])
    expect(await pull(`team:${who}x`)).toMatchObject([{ op: 'put', row: { team: `${who}x` } }])
  })

  it('an import puts rows into the table, and rejects those that it does not take', async () => {
    const who = someone()
    const take = createImport(operations().importChunk, who, {
      ...{ client: 'import', table: undefined, at: undefined, grant: { scope: `team:${who}`, isAllowed: () => true } },
    })
    const line = (n: number, title: string) => ({
      line: n,
      value: { table: 'notes', op: 'put', id: `i${n}-${who}`, at: at(), row: { team: who, title } },
    })
    expect(await take([line(1, 'a'), line(2, 'much too long'), line(3, 'c')])).toMatchObject({
      ...{ applied: 2, rejections: [{ line: 2 }] },
    })
    expect(await own(`SELECT title FROM notes WHERE team = '${who}' ORDER BY slug`)).toEqual([['a'], ['c']])
  })

  it('P15 a sweep settles what nobody asks for, pokes, and records webhooks: once', async () => {
    const who = someone()
    const pokes: string[] = []
    const endpoint = { name: 'crm', url: 'http://127.0.0.1:9/', secrets: ['whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'] }
    const record = createRecorder(opened.store.dialect, schema, [endpoint as never])
    const sweep = createSweep({ schema, store: opened.store, record, onCommit: (scope) => pokes.push(scope) })
    await sweep?.()
    pokes.length = 0
    await own(`INSERT INTO notes (slug, team, title) VALUES ('s1-${who}', '${who}', 'a'), ('s2-${who}', '${who}', 'b')`)
    await sweep?.()
    await sweep?.()
    expect(pokes).toEqual([`team:${who}`])
    const found = await own(`SELECT from_position, position FROM driftline_deliveries WHERE scope = 'team:${who}'`)
    expect(found.map((row) => row.map(Number))).toEqual([[0, 2]])
    await own(`UPDATE notes SET title = 'c' WHERE team = '${who}'`)
    const { push: pushNow } = createOperations({ schema, store: opened.store, record })
    const change = { table: 'notes', op: 'put', id: `s3-${who}`, at: at(), row: { team: who, title: 'd' } }
    await pushNow(principal(`team:${who}`), decodeRequest({ client: 'a', changes: [change] }, 'sync'))
    const later = await own(
      `SELECT from_position, position FROM driftline_deliveries WHERE scope = 'team:${who}' ORDER BY position`,
    )
    expect(later.map((row) => row.map(Number))).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ])
  })

  it('rows of tables that are adopted are streamed under a tag that moves with them', async () => {
    const who = someone()
    const secret = 'a secret of thirty-two characters'
    const app = createApp({ schema, store: opened.store, auth: { secret } })
    const token = await signToken(secret, { sub: who, scopes: [`team:${who}`] })
    const get = async () => {
      const answer = await app.request('/v1/pull', {
        headers: { Authorization: `Bearer ${token}`, Accept: 'application/x-ndjson' },
      })
      return { tag: answer.headers.get('etag'), text: await answer.text() }
    }
    await own(`INSERT INTO notes (slug, team, title) VALUES ('t-${who}', '${who}', 'one')`)
    const first = await get()
    expect(first.text).toContain('"one"')
    expect((await get()).tag).toBe(first.tag)
    await own(`UPDATE notes SET title = 'two' WHERE team = '${who}'`)
    const second = await get()
    expect(second.text).toContain('"two"')
    expect(second.tag).not.toBe(first.tag)
  })
})

it('Durable Objects refuse a schema that adopts tables, with a sentence', () => {
  const store = durableObjectStore({} as never)
  expect(() => createApp({ schema, store, auth: { secret: 'a secret of thirty-two characters' } })).toThrow(
    'Tables can be adopted in Postgres and libSQL only.',
  )
})
