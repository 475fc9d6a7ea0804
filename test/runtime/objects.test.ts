import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createTables } from '../../src/migrations/ddl.ts'
import { text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { recordSql } from '../../src/sql/delivery-sql.ts'
import { raiseWith } from '../../src/sql/markers.ts'
import { scopeSql } from '../../src/sql/scope-sql.ts'
import { sqliteObject } from '../../src/sql/sqlite/object.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { type Objects, startObjects } from '../support/objects.ts'
import { startReceiver } from '../support/receiver.ts'
import { del, noon, patch, principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'

const first = { name: '0001_first', statements: createTables(schema, 'sqlite') }

it('P9 a Durable Object prunes by its alarm, and sets no other once there is nothing left', async () => {
  const objects = await startObjects([first], { RETENTION: '0d' })
  const sync = sampleSync(objects.store)
  const who = principal('pruned')
  const alarm = async (sql: 'alarm' | 'alarmed') =>
    (await objects.store.batch(who.subject, [{ sql, params: [] }]))[0]?.[0]?.[0]
  try {
    await sync.push(who, { client: 'a', changes: [put('a', 0, 'x'), put('b', 0, 'x')] })
    const { cursor } = await sync.pull(who)
    expect(await alarm('alarmed')).toBeGreaterThan(Date.now())
    await sync.push(who, { client: 'a', changes: [del('a', 1)] })
    expect(await alarm('alarm')).toBeNull()
    await expect(sync.pull(who, { cursor })).rejects.toMatchObject({ code: 'resync', members: { reason: 'pruned' } })
    expect((await sync.pull(who)).changes.map(({ id }) => id)).toEqual(['b'])
    const ids = { sql: 'SELECT id FROM todos', params: [] }
    expect((await objects.store.batch(who.subject, [ids]))[0]).toEqual([['b']])
  } finally {
    await objects.close()
  }
})

it('P2 a Durable Object makes a delivery and the alarm that sends it durable together, or neither', async () => {
  const receiver = await startReceiver()
  const objects = await startObjects([first], {
    WEBHOOK_ENDPOINTS: JSON.stringify([receiver.endpoint()]),
    WEBHOOK_ALLOW_PRIVATE: 'true',
  })
  const { lock } = scopeSql(sqliteObject, schema, 4_194_304, raiseWith(sqliteObject, 'nonce'))
  const record = recordSql(sqliteObject, schema.tables)
  const push = (scope: string, ...ends: string[]) =>
    objects.store.batch(scope, [
      { sql: lock, params: [scope, 'inc', 1, 64, 1000] },
      { sql: 'INSERT INTO lists VALUES (?1, 1, 1, 1, 0, 1, 1, 1)', params: [scope] },
      { sql: record, params: [scope, 1, 'crm', `msg_${scope}`, 0], records: true },
      ...ends.map((sql) => ({ sql, params: [] })),
    ])
  try {
    // Ended before anything of it is durable: neither is there.
    await expect(push('lost', 'reset')).rejects.toMatchObject({ code: 'OBJECT_LOST' })
    expect((await objects.store.batch('lost', [{ sql: 'alarmed', params: [] }]))[0]?.[0]?.[0]).toBeNull()
    expect((await objects.store.batch('lost', [{ sql: 'SELECT 1 FROM driftline_deliveries', params: [] }]))[0]).toEqual(
      [],
    )
    // Ended right after the rows are durable: nobody calls the object again, and it sends.
    await expect(push('kept', 'synced reset')).rejects.toMatchObject({ code: 'OBJECT_LOST' })
    await vi.waitFor(() => expect(receiver.received.map(({ id }) => id)).toEqual(['msg_kept']), { timeout: 20_000 })
  } finally {
    await objects.close()
    await receiver.close()
  }
})

describe('a Durable Object', () => {
  let objects: Objects
  beforeAll(async () => {
    objects = await startObjects([first])
  })
  afterAll(() => objects.close())
  const count = async (scope: string, sql: string) =>
    (await objects.store.batch(scope, [{ sql, params: [] }]))[0]?.[0]?.[0]

  it('P11 holds the rows of one scope and of no other', async () => {
    const sync = sampleSync(objects.store)
    const who = principal('mine', { theirs: 'write' })
    await sync.push(who, { client: 'a', changes: [put('a', 0, 'x'), { ...put('b', 0, 'x'), scope: 'theirs' }] })
    for (const scope of ['mine', 'theirs']) {
      expect(await count(scope, 'SELECT group_concat(scope) FROM todos')).toBe(scope)
    }
  })

  it('P13 that is reset in the middle of a call is a transient fault, and answers the next', async () => {
    const sync = sampleSync(objects.store)
    const who = principal('reset')
    await sync.push(who, { client: 'a', changes: [put('a', 0, 'x')] })
    const cut = objects.store.batch('reset', [
      { sql: "UPDATE todos SET title = 'half'", params: [] },
      { sql: 'reset', params: [] },
    ])
    await expect(cut).rejects.toMatchObject({ name: 'StoreFault', kind: 'transient', code: 'OBJECT_LOST' })
    expect((await sync.pull(who)).changes).toMatchObject([{ row: { title: 'x' } }])
  })

  it('faults are of the kinds that every store gives', async () => {
    const kindOf = (...sqls: string[]) =>
      objects.store
        .batch(
          'faults',
          sqls.map((sql) => ({ sql, params: [] })),
        )
        .then(
          () => 'none',
          (fault) => `${fault.kind} ${fault.code}`,
        )
    const insert =
      "INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('s', 'i', 1, 0, 0)"
    expect(await kindOf(insert, insert)).toBe('refused SQLITE_CONSTRAINT')
    expect(
      await kindOf(
        "INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('s', 'i', 'x', 0, 0)",
      ),
    ).toBe('refused SQLITE_CONSTRAINT')
    expect(
      await kindOf(
        "INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('s', 'i', 1, 0)",
      ),
    ).toBe('broken SQLITE_ERROR')
    expect(await kindOf('SELECT * FROM nothing')).toBe('broken SQLITE_ERROR')
    expect(await kindOf(`SELECT '${'x'.repeat(100_000)}'`)).toBe('refused SQLITE_TOOBIG')
    expect(await kindOf("SELECT json_extract('{}', 'driftline_probe' || 5)")).toBe('refused SQLITE_ERROR')
    expect(await count('faults', 'SELECT count(*) FROM driftline_scopes')).toBe(0)
  })

  it('takes a push of almost 4 MiB in parameters below 2 MB, and hands it out again', async () => {
    const sync = sampleSync(objects.store)
    const who = principal('large')
    const title = (n: number) => `${n}${'é\u0001"'.repeat(92_000)}`
    const changes = Array.from({ length: 5 }, (_, n) => put(`l${n}`, n, title(n)))
    expect(new TextEncoder().encode(JSON.stringify(changes)).length).toBeGreaterThan(4_600_000)
    const pushed = await sync.push(who, { client: 'a', changes })
    expect(pushed.verdicts.map(({ verdict }) => verdict)).toEqual(Array(5).fill('applied'))
    const { changes: pulled } = await sync.pull(who)
    expect(pulled.map((change) => 'row' in change && 'title' in change.row && change.row.title)).toEqual(
      changes.map((_, n) => title(n)),
    )
  })

  it('P12 rejects the patch that would make a row too large for it, and no other change', async () => {
    const sync = sampleSync(objects.store)
    const who = principal('too large')
    const large = 'y'.repeat(1_000_000)
    const { verdicts } = await sync.push(who, {
      client: 'a',
      changes: [put('a', 0, 'x'), patch('a', 1, { title: large }), patch('a', 2, { notes: large }), put('b', 0, 'b')],
    })
    const codes = verdicts.map((verdict) => (verdict.verdict === 'rejected' ? verdict.error.code : verdict.verdict))
    expect(codes).toEqual(['applied', 'applied', 'too_large', 'applied'])
  })
})

describe('a deploy', () => {
  let objects: Objects | undefined
  afterEach(() => objects?.close())

  it('P2 that adds a column finds the objects of the one before it, and brings each up to date when it wakes', async () => {
    const narrow = defineSchema({ todos: { title: text() } })
    const one = { name: '0001_first', statements: createTables(narrow, 'sqlite') }
    objects = await startObjects([one])
    const who = principal('alice')
    const old = { table: 'todos', op: 'put', id: 'a', at: noon, row: { title: 'old' } } as const
    await createSync({ schema: narrow, store: objects.store }).push(who, { client: 'a', changes: [old] })
    const second = { name: '0002_color', statements: ["ALTER TABLE todos ADD COLUMN color TEXT DEFAULT 'red'"] }
    await objects.deploy([one, second])
    const wider = defineSchema({ todos: { title: text(), color: text({ default: 'red' }) } })
    const sync = createSync({ schema: wider, store: objects.store, now: () => noon / 1000 })
    const green = { table: 'todos', op: 'put', id: 'b', at: noon, row: { title: 'new', color: 'green' } } as const
    await sync.push(who, { client: 'a', changes: [green] })
    const { changes } = await sync.pull(who)
    expect(changes.map((change) => 'row' in change && change.row)).toEqual([
      { title: 'old', color: 'red' },
      { title: 'new', color: 'green' },
    ])
    await objects.deploy([one])
    const [names] = await objects.store.batch('alice', [
      { sql: 'SELECT name FROM driftline_migrations ORDER BY name', params: [] },
    ])
    expect(names).toEqual([['0001_first'], ['0002_color']])
  })

  it('P13 with a migration that fails is a fault, keeps every row, and is mended by the next', async () => {
    objects = await startObjects([first])
    const who = principal('alice')
    await sampleSync(objects.store).push(who, { client: 'a', changes: [put('a', 0, 'kept')] })
    await objects.deploy([
      first,
      { name: '0002_bad', statements: ["UPDATE todos SET title = 'lost'", 'ALTER TABLE nothing ADD COLUMN x TEXT'] },
    ])
    await expect(sampleSync(objects.store).pull(who)).rejects.toMatchObject({ kind: 'broken', code: 'MIGRATION' })
    expect(
      objects.harness
        .getLogs()
        .map(({ message }) => message)
        .join('\n'),
    ).toMatch(/The migration 0002_bad failed.*nothing/)
    await objects.deploy([first])
    expect((await sampleSync(objects.store).pull(who)).changes).toMatchObject([{ row: { title: 'kept' } }])
  })
})

it('P3 an object with more tables than one union takes hands out each row once, in order', async () => {
  const names = Array.from({ length: 27 }, (_, n) => `t${n}`)
  const many = defineSchema(Object.fromEntries(names.map((name) => [name, { title: text() }])))
  const objects = await startObjects([{ name: '0001_many', statements: createTables(many, 'sqlite') }])
  try {
    const sync = createSync({ schema: many, store: objects.store, now: () => noon / 1000 })
    const who = principal('alice')
    const changes = Array.from({ length: 200 }, (_, n) => ({
      table: `t${(n * 7) % 27}`,
      op: 'put',
      id: `${n}`,
      at: noon,
      row: { title: `${n}` },
    }))
    await sync.push(who, { client: 'a', changes: changes as never })
    for (const limit of [3, 60, 1000]) {
      const ids: string[] = []
      for (let cursor: string | null = null, more = true; more; ) {
        const page: Awaited<ReturnType<typeof sync.pull>> = await sync.pull(who, { cursor, limit })
        ids.push(...page.changes.map(({ id }) => id))
        ;({ cursor, more } = page)
      }
      expect(ids).toEqual(changes.map(({ id }) => id))
    }
  } finally {
    await objects.close()
  }
})
