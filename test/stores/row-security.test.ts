import { neonConfig } from '@neondatabase/serverless'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createImport } from '../../src/bulk/import.ts'
import { migrate } from '../../src/migrations/apply.ts'
import { createTables } from '../../src/migrations/ddl.ts'
import { neonStore } from '../../src/stores/neon.ts'
import { postgresStore } from '../../src/stores/postgres/pool.ts'
import type { Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createOperations } from '../../src/sync/sync.ts'
import { startNeonGateway } from '../support/neon-gateway.ts'
import { del, noon, patch, principal, put, type SampleChange } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { createDatabase, inThisRun } from '../support/stores.ts'

/**
 * Postgres' row level security, which binds every role but the owner of the tables and a superuser.
 */
describe.each(inThisRun(['postgres', 'neon']))('row level security of the server’s role, on %s', (name) => {
  const role = `app_${crypto.randomUUID().replaceAll('-', '')}`
  const closings: (() => Promise<unknown>)[] = []
  let owner: pg.Client
  let store: Store
  beforeAll(async () => {
    const url = await createDatabase()
    const migrating = postgresStore(url)
    await migrate(migrating, [{ name: '0001_test', statements: createTables(schema, 'postgres') }])
    await migrating.close()
    owner = new pg.Client({ connectionString: url })
    await owner.connect()
    await owner.query(`CREATE ROLE ${role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role};
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY no_bad ON todos USING (true) WITH CHECK (title IS DISTINCT FROM 'bad');`)
    const restricted = new URL(url)
    restricted.username = role
    if (name === 'postgres') store = postgresStore(restricted.href)
    else {
      const gateway = await startNeonGateway(restricted.href)
      closings.push(gateway.close)
      neonConfig.fetchEndpoint = () => gateway.fetchEndpoint
      store = neonStore(restricted.href.replace('127.0.0.1', 'gateway.example'))
    }
  })
  afterAll(async () => {
    await store.close()
    for (const close of closings) await close()
    await owner.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    await owner.end()
  })

  const now = () => noon / 1000 + 3_600_000
  async function verdictsOf(who: ReturnType<typeof principal>, changes: readonly SampleChange[], more: object = {}) {
    const sync = createSync({ schema, store, now })
    const { verdicts } = await sync.push(who, { client: 'a', changes: [...changes], ...more })
    return verdicts.map((one) => (one.verdict === 'rejected' ? one.error.code : one.verdict))
  }

  it('P12 rejects the change whose row the policy refuses, alone, beside others and all of them', async () => {
    const who = principal('alice')
    expect(await verdictsOf(who, [put('a', 1, 'bad')])).toEqual(['constraint'])
    expect(await verdictsOf(who, [put('a', 2, 'good'), put('b', 3, 'bad'), put('c', 4, 'good')])).toEqual([
      'applied',
      'constraint',
      'applied',
    ])
    expect(await verdictsOf(who, [put('b', 5, 'bad'), put('d', 6, 'bad')])).toEqual(['constraint', 'constraint'])
    expect(await verdictsOf(who, [patch('a', 7, { title: 'bad' })])).toEqual(['constraint'])
    expect(await verdictsOf(who, [patch('a', 8, { title: 'bad' }), del('c', 9)])).toEqual(['constraint', 'applied'])
    await expect(verdictsOf(who, [put('e', 10, 'good'), put('f', 11, 'bad')], { atomic: true })).rejects.toMatchObject({
      code: 'atomic_rejected',
      members: { index: 1, error: { code: 'constraint' } },
    })
  })

  it('P12 rejects it in an import too', async () => {
    const who = principal('bob')
    const grant = { scope: 'bob', isAllowed: () => true }
    const operations = createOperations({ schema, store, now })
    const importChunk = createImport(operations.importChunk, who.subject, {
      client: 'a',
      table: undefined,
      at: undefined,
      grant,
    })
    const lines = [put('a', 1, 'bad'), put('b', 2, 'good')].map((value, n) => ({ line: n + 1, value }))
    expect(await importChunk(lines)).toMatchObject({
      applied: 1,
      rejections: [{ line: 1, error: { code: 'constraint' } }],
    })
    expect(await importChunk(lines.slice(0, 1))).toMatchObject({ applied: 0, rejections: [{ line: 1 }] })
  })

  it('P13 a role that may not write the table at all is a fault of the server, and no change’s', async () => {
    await owner.query(`REVOKE INSERT, UPDATE ON lists FROM ${role}`)
    const change = { table: 'lists', op: 'put', id: 'l', at: noon, row: { name: 'n' } } as const
    const pushed = verdictsOf(principal('carol'), [change])
    const answer = await pushed.catch((fault: unknown) => fault)
    expect(answer).toMatchObject({ kind: 'broken' })
    await owner.query(`GRANT INSERT, UPDATE ON lists TO ${role}`)
  })
})
