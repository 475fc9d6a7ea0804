import pg from 'pg'
import { describe, expect, inject, it } from 'vitest'
import { transportByCopy } from '../../src/bulk/copy.ts'
import { createImport } from '../../src/bulk/import.ts'
import { postgresBus } from '../../src/live/node/postgres-bus.ts'
import { migrate } from '../../src/migrations/apply.ts'
import { check } from '../../src/migrations/check.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { boolean, bytes, integer, json, real, text, timestamp, uuid } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { neonConfig, neonStore } from '../../src/stores/neon.ts'
import { postgresEdgeStore } from '../../src/stores/postgres/edge.ts'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import type { Store } from '../../src/stores/store.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { pullToJson, pushToJson } from '../../src/wire/answer.ts'
import { startNeonGateway } from '../support/neon-gateway.ts'
import { noon, principal } from '../support/sample.ts'
import { createDatabase } from '../support/stores.ts'

const schema = defineSchema({
  values: {
    text: text({ nullable: true }),
    integer: integer({ nullable: true }),
    real: real({ default: 0.1 }),
    boolean: boolean({ nullable: true }),
    json: json({ nullable: true }),
    timestamp: timestamp({ default: '2024-03-02T01:00:00.000Z' }),
    uuid: uuid({ nullable: true }),
    bytes: bytes({ default: 'XCc' }),
    quoted: text({ default: "a \\ and a ' and a \\' and a \\n" }),
  },
})

const rows = [
  ...['NULL', 'null', '\\', "\\'", '\\n', 'a\\\\b"c', ''].map((value) => ({ text: value, json: [value] })),
  ...[0.1, 1 / 3, 1e-7, 123_456_789.123_456_78, 5e-324].map((value) => ({ real: value, json: { value } })),
  ...['2026-03-02T23:59:59.999Z', '0001-01-01T00:00:00.000Z'].map((value) => ({ timestamp: value })),
  ...['', 'AA', '_w', '-_-_', 'XCdcMDAx'].map((value) => ({ bytes: value })),
  { integer: -(2 ** 53 - 1), boolean: true, uuid: '0193f0a0-7c4e-7d7e-9f3a-0123456789ab' },
  {},
]

/** Values that an `ALTER DATABASE`, an `ALTER ROLE` or another client of a pooler may have left. */
const hostile: Readonly<Record<string, string>> = {
  extra_float_digits: '-15',
  array_nulls: 'off',
  standard_conforming_strings: 'off',
  backslash_quote: 'off',
  escape_string_warning: 'on',
  DateStyle: "'SQL, DMY'",
  IntervalStyle: 'sql_standard',
  TimeZone: "'Asia/Kathmandu'",
  bytea_output: 'escape',
  transform_null_equals: 'on',
  quote_all_identifiers: 'on',
  row_security: 'off',
  xmloption: 'document',
  lock_timeout: "'1ms'",
  client_min_messages: 'debug1',
  default_transaction_isolation: "'repeatable read'",
  default_transaction_deferrable: 'on',
  client_encoding: 'LATIN1',
}

async function createHostile(settings: Readonly<Record<string, string>>): Promise<string> {
  const url = await createDatabase()
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  const name = admin.escapeIdentifier(new URL(url).pathname.slice(1))
  for (const [setting, value] of Object.entries(settings))
    await admin.query(`ALTER DATABASE ${name} SET ${setting} = ${value}`)
  await admin.end()
  return url
}

/** Each opens its store only once the settings are there: they are those of new connections. */
const stores: Readonly<Record<string, (url: string) => Promise<Store>>> = {
  'Postgres over TCP': async (url) => postgresStore(url),
  'Postgres from a worker': async (url) => postgresEdgeStore(url),
  "Neon's HTTP": async (url) => {
    const gateway = await startNeonGateway(inject('postgresUrl'))
    neonConfig.fetchEndpoint = () => gateway.fetchEndpoint
    const store = neonStore(url.replace('127.0.0.1', 'gateway.example'))
    return { ...store, close: () => store.close().then(gateway.close) }
  },
}

/** All that a store is asked for, as the bytes that come back. */
async function play(store: Store, transport = false): Promise<string> {
  await migrate(store, [{ name: '0001_test', statements: createTables(schema, 'postgres') }])
  expect(await check(store, schema)).toEqual([])
  const operations = createOperations({
    ...{ schema, store, now: () => noon / 1000, incarnation: () => 'inc' },
    ...(transport && { transport: transportByCopy(schema) }),
  })
  const who = principal('alice')
  const push = async (changes: unknown[]) =>
    pushToJson(await operations.push(who, { client: 'a', changes, atomic: false, return: 'all' }))
  const pull = async () => pullToJson(await operations.pull(who, { cursor: null, limit: 5000 }))
  const puts = rows.map((row, n) => ({ table: 'values', op: 'put', id: `v${n}`, at: noon, row }))
  const patches = rows.map((row, n) => ({
    table: 'values',
    op: 'patch',
    id: `v${rows.length - 1 - n}`,
    at: noon + 1,
    row,
  }))
  const answers = [await push(puts), await pull(), await push(puts), await push(patches.slice(0, -1)), await pull()]
  answers.push(await push([{ table: 'values', op: 'delete', id: 'v0', at: noon + 2 }]), await pull())
  const grant = { scope: 'bob', isAllowed: () => true }
  const options = { client: 'import', table: 'values', at: noon, grant }
  const importChunk = createImport(operations.importChunk, 'import', options)
  answers.push(
    JSON.stringify(await importChunk(rows.map((row, n) => ({ line: n + 1, value: { id: `b${n}`, ...row } })))),
  )
  const bob = await operations.pull(principal('bob'), { cursor: null, limit: 5000 })
  return [...answers, pullToJson(bob)].join('\n')
}

describe('the settings of a session change nothing', () => {
  it.each(Object.entries(stores))('P7 byte for byte, %s', async (_, open) => {
    const answers: string[] = []
    for (const settings of [{}, hostile]) {
      const store = await open(await createHostile(settings))
      answers.push(await play(store).finally(() => store.close()))
    }
    expect(answers[1]).toBe(answers[0])
    for (const [n, row] of rows.entries()) {
      const sent = Object.entries(row).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
      for (const member of sent) expect(answers[0], `row ${n}`).toContain(member)
    }
  })

  it('P7 byte for byte, rows that go by COPY', async () => {
    const answers: string[] = []
    for (const settings of [{}, hostile]) {
      const store = postgresStore(await createHostile(settings))
      answers.push(await play(store, true).finally(() => store.close()))
    }
    expect(answers[1]).toBe(answers[0])
  })

  it('P3 writers of one scope wait for each other, however short the session would have them wait', async () => {
    const store = postgresStore(await createHostile({ lock_timeout: "'1ms'" }))
    await migrate(store, [{ name: '0001_test', statements: createTables(schema, 'postgres') }])
    const operations = createOperations({ schema, store, now: () => noon / 1000 })
    const pushes = Array.from({ length: 20 }, (_, n) =>
      operations.push(principal('alice'), {
        client: `c${n}`,
        changes: Array.from({ length: 200 }, (_, id) => ({
          table: 'values',
          op: 'put',
          id: `${n}-${id}`,
          at: noon,
          row: {},
        })),
        ...{ atomic: false, return: 'lost' },
      }),
    )
    expect(await Promise.all(pushes)).toHaveLength(20)
    await store.close()
  })

  it('P15 and pokes go their way', async () => {
    const url = await createHostile(hostile)
    const told = new Promise((resolve) => {
      const listening = postgresBus(url, (scope, position) => resolve([scope, position, listening.close()]))
      const telling = postgresBus(url, () => {})
      void Promise.all([listening.ready, telling.ready]).then(() => {
        telling.send('it\'s \\ "bob"', 7)
        setTimeout(telling.close, 500)
      })
    })
    expect(await told).toEqual(['it\'s \\ "bob"', 7, undefined])
  })

  it('is one statement more of a batch and no round trip, whatever the number of its statements', async () => {
    const sent: string[] = []
    const store = postgresStore(await createDatabase())
    const { query } = pg.Client.prototype
    // biome-ignore lint/suspicious/noExplicitAny: whatever pg is given
    pg.Client.prototype.query = function (this: pg.Client, one: any, ...more: any[]) {
      sent.push(one.constructor.name)
      // biome-ignore lint/suspicious/noExplicitAny: whatever pg is given
      return (query as any).call(this, one, ...more)
    } as never
    try {
      const select = { sql: "SELECT current_setting('TimeZone'), current_setting('transaction_isolation')", params: [] }
      expect(await store.batch('', [select])).toEqual([[['UTC', 'read committed']]])
      expect(await store.batch('', [select, select])).toEqual([
        [['UTC', 'read committed']],
        [['UTC', 'read committed']],
      ])
    } finally {
      pg.Client.prototype.query = query
    }
    expect(sent).toEqual(['Pipeline', 'Pipeline'])
    await store.close()
  })
})
