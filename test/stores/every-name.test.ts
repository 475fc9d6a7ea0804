import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { transportByCopy } from '../../src/bulk/copy.ts'
import { createApp } from '../../src/http/app.ts'
import { text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { systemColumns, type Table } from '../../src/model/table.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import { pruneSql } from '../../src/sql/prune-sql.ts'
import { noon } from '../support/sample.ts'
import { inThisRun, isQuick, openTestStore, type TestStore } from '../support/stores.ts'

/** The words that Postgres (18) and SQLite keep for themselves, in full or in part. */
const reserved = `abort action add after all alter always analyse analyze and any array as asc asymmetric attach
authorization autoincrement before begin between bigint binary bit boolean both by cascade case cast char character
check coalesce collate collation column commit concurrently conflict constraint create cross current current_catalog
current_date current_role current_schema current_time current_timestamp current_user database dec decimal default
deferrable deferred delete desc detach distinct do drop each else end escape except exclude exclusive exists explain
extract fail false fetch filter first float following for foreign freeze from full generated glob grant greatest group
grouping groups having if ignore ilike immediate in index indexed initially inner inout insert instead int integer
intersect interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
json_scalar json_serialize json_table json_value key last lateral leading least left like limit localtime
localtimestamp match materialized merge_action national natural nchar no none normalize not nothing notnull null nullif
nulls numeric of offset on only or order others out outer over overlaps overlay partition placing plan position
pragma preceding precision primary query raise range real recursive references regexp reindex release rename replace
restrict returning right rollback row rows savepoint select session_user set setof similar smallint some substring
symmetric system_user table tablesample temp temporary then ties time timestamp to trailing transaction treat trigger
trim true unbounded union unique update user using vacuum values varchar variadic verbose view virtual when where window
with within without xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
xmlserialize xmltable`

/** What the statements have named without a $, or could, and what databases name themselves. */
const used = `page head cap large upper place at dead size j b t o s w z u p d e m n i a v q x c0 s0 v0 value0 excluded old
new stored found sent written scope deleted id ids sizes inbox lock base ordinal letters count text value type path atom
fullkey parent rowid oid name public main pg driftline postgres information_schema unnest generate_series constructor proto
prototype client cursor change changes verdicts position_pkey ${'l'.repeat(62)}a ${'l'.repeat(62)}b`

const words = [...new Set([...used.split(/\s+/), ...reserved.split(/\s+/)])]
const isFree = (word: string) => !(systemColumns as readonly string[]).includes(word)
const tablesMax = 60
/**
 * Each word as a table, with a column of its own name and of those of the next few: so each is a
 * column too.
 */
const schemas = Array.from({ length: Math.ceil(words.length / tablesMax) }, (_, part) => {
  const tables = words.slice(part * tablesMax, (part + 1) * tablesMax)
  return defineSchema(
    Object.fromEntries(
      tables.map((table, n) => {
        const columns = [table, ...Array.from({ length: 3 }, (_, k) => tables[(n + k + 1) % tables.length] ?? '')]
        return [table, Object.fromEntries([...columns.filter(isFree), 'x'].map((name) => [name, text()]))]
      }),
    ),
  )
})

const early = noon - 1_000_000_000_000
const secret = 'a secret of these tests, 32 bytes or more'
const webhookSecret = `whsec_${btoa(secret)}`
const names = ['libsql file', 'postgres', 'neon', 'durable-object', 'postgres by COPY'] as const
/** These send what another of their dialect sends, so that a part says enough. */
const isBrief = (name: string) => name === 'neon' || name === 'durable-object'
const ways = inThisRun(names).flatMap((name) =>
  schemas
    .map((schema, part) => ({ name, part, schema }))
    .filter(({ part }) => part === 0 || !(isQuick || isBrief(name))),
)

describe.each(ways)('tables and columns of every name, part $part, on $name', ({ name, schema }) => {
  let opened: TestStore
  let token: string
  let app: ReturnType<typeof createApp>
  beforeAll(async () => {
    opened = await openTestStore(name === 'postgres by COPY' ? 'postgres' : name, schema)
    token = await signToken(secret, { sub: 'alice' })
    app = createApp({
      ...{ schema, store: opened.store, auth: { secret }, webhookSecrets: { crm: [webhookSecret] } },
      deliveries: [{ name: 'erp', url: 'https://erp.example', secret: webhookSecret }],
      ...(name === 'postgres by COPY' ? { transport: transportByCopy(schema) } : {}),
    })
  })
  afterAll(() => opened.close())

  const call = async (path: string, init: RequestInit = {}) => {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...init.headers }
    const answer = await app.request(path, { ...init, headers })
    const body = await answer.text()
    expect([answer.status, answer.status === 200 ? '' : body]).toEqual([200, ''])
    return body
  }
  const row = ({ columns }: Table, of: string) =>
    Object.fromEntries(columns.map((one) => [one.name, `${one.name} ${of}`]))
  const rejectedIn = (body: string) =>
    JSON.parse(body).verdicts.flatMap(({ verdict, error }: { verdict: string; error?: object }, place: number) =>
      verdict === 'applied' ? [] : [{ place, verdict, error }],
    )

  /** A line for each table, which are duplicates the second time. */
  async function importTwice(): Promise<void> {
    const lines = schema.tables.map((table) =>
      JSON.stringify({ table: table.name, op: 'put', id: 'imported', at: early, row: row(table, 'i') }),
    )
    for (const expected of [{ applied: lines.length }, { duplicate: lines.length }]) {
      const told = await call('/v1/import', {
        ...{ method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' } },
        body: lines.join('\n'),
      })
      expect(JSON.parse(told.trim().split('\n').at(-1) ?? '')).toMatchObject(expected)
    }
  }

  if (name === 'postgres by COPY') {
    it('are imported by COPY', async () => {
      await importTwice()
      const { changes } = JSON.parse(await call('/v1/pull?limit=5000'))
      expect(changes.map(({ table, row: stored }: { table: string; row: object }) => [table, stored])).toEqual(
        schema.tables.map((table) => [table.name, row(table, 'i')]),
      )
    }, 60_000)
    return
  }

  it('are pushed, pulled, streamed, sent by webhooks, imported and pruned', async () => {
    const changes = schema.tables.flatMap((table) => {
      const change = (op: string, id: string, at: number, more: object = {}) => ({
        ...{ table: table.name, op, id, at: early + at },
        ...more,
      })
      const [first = ''] = table.places.keys()
      return [
        change('put', 'alone', 1, { row: row(table, '1') }),
        change('put', 'gone', 1, { row: row(table, '1') }),
        change('put', 'folded', 1, { row: row(table, '1') }),
        change('patch', 'folded', 2, { row: { [first]: '2' } }),
        change('patch', 'folded', 3, { row: { x: '3' } }),
      ]
    })
    const later = schema.tables.flatMap(({ name: table, places }) => [
      { table, op: 'patch', id: 'alone', at: early + 4, row: { [[...places.keys()][0] ?? '']: '4' } },
      { table, op: 'delete', id: 'gone', at: early + 4 },
    ])
    const push = (some: readonly object[], more = {}) =>
      call('/v1/push', { method: 'POST', body: JSON.stringify({ client: 'phone', changes: some, ...more }) })
    expect(rejectedIn(await push(changes))).toEqual([])
    expect(rejectedIn(await push(later, { atomic: true }))).toEqual([])

    const again = JSON.parse(await push([...changes, ...later])).verdicts.map(
      ({ verdict }: { verdict: string }) => verdict,
    )
    expect(new Set(again)).toEqual(new Set(['stale', 'duplicate']))

    const body = JSON.stringify({
      scope: 'alice',
      changes: schema.tables.flatMap((table) => [
        { table: table.name, op: 'put', id: 'hooked', row: row(table, 'h') },
        { table: table.name, op: 'patch', id: 'folded', row: { x: 'h' } },
      ]),
    })
    const at = new Date()
    const signed = {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(webhookSecret).sign('msg_1', at, body),
    }
    expect(rejectedIn(await call('/v1/webhooks/crm', { method: 'POST', headers: signed, body }))).toEqual([])

    await importTwice()

    const pulled = JSON.parse(await call('/v1/pull?limit=5000')).changes as { table: string; id: string; row: object }[]
    const streamed = (await call('/v1/pull', { headers: { Accept: 'application/x-ndjson' } })).trim().split('\n')
    expect(pulled).toHaveLength(4 * schema.tables.length)
    expect(streamed.filter((line) => line.includes('"table":'))).toHaveLength(pulled.length)
    for (const table of schema.tables) {
      const [first = ''] = table.places.keys()
      const rows = Object.fromEntries(pulled.filter((one) => one.table === table.name).map((one) => [one.id, one.row]))
      expect(rows, table.name).toEqual({
        alone: { ...row(table, '1'), [first]: '4' },
        folded: { ...row(table, '1'), [first]: '2', x: 'h' },
        hooked: row(table, 'h'),
        imported: row(table, 'i'),
      })
    }

    const { tombstones, remove } = pruneSql(opened.store.dialect, schema)
    const results = await opened.store.batch('alice', [
      ...tombstones.map((sql) => ({ sql, params: ['alice', 0, 1_000_000, 5] })),
      ...remove.map((sql) => ({ sql, params: ['alice', 0, 1_000_000] })),
    ])
    expect(results.slice(0, tombstones.length).map((found) => found.length)).toEqual(tombstones.map(() => 1))
  }, 60_000)
})
