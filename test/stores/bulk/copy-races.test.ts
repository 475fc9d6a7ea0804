import pg from 'pg'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { transportByCopy } from '../../../src/bulk/copy.ts'
import { createImport } from '../../../src/bulk/import.ts'
import { text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import { createOperations } from '../../../src/sync/sync.ts'
import { schema } from '../../support/schema.ts'
import { openTestStore, type TestStore } from '../../support/stores.ts'

const at = 1_700_000_000_000_000
const stored = `INSERT INTO lists (scope, id, updated_at, updated_by, deleted, position, created_position, name)
VALUES ('alice', 'l1', $1, 'rival', false, 0, 0, 'of the rival')`

let opened: TestStore
let rival: pg.Client
beforeAll(async () => {
  opened = await openTestStore('postgres')
  rival = new pg.Client({ connectionString: opened.url })
  await rival.connect()
})
afterAll(async () => {
  await rival.end()
  await opened.close()
})

it.each([
  ['older', ['l0', 'l1', 'l2'], at - 1, 'imported', { applied: 3, stale: 0 }],
  ['newer', ['l0', 'l1', 'l2'], at + 1, 'of the rival', { applied: 2, stale: 1 }],
  // Nothing is left to halve: were it taken for a constraint, it would be rejected.
  ['older, alone', ['l1'], at - 1, 'imported', { applied: 1, stale: 0 }],
  ['newer, alone', ['l1'], at + 1, 'of the rival', { applied: 0, stale: 1 }],
] as const)(
  'P2 an import by COPY meets a row that somebody inserts beside driftline, %s than its own',
  async (_, ids, stamp, name, counts) => {
    await rival.query('TRUNCATE lists, driftline_scopes')
    const operations = createOperations({ schema, store: opened.store, transport: transportByCopy(schema) })
    const grant = { scope: 'alice', isAllowed: () => true }
    const importChunk = createImport(operations.importChunk, 'x', { client: 'import', table: 'lists', at, grant })
    const lines = ids.map((id, n) => ({ line: n + 1, value: { id, name: 'imported' } }))
    await rival.query('BEGIN')
    await rival.query(stored, [stamp])
    const imported = importChunk(lines)
    // The import waits for the rival's key.
    await vi.waitFor(async () => {
      const waiting = await opened.store.batch('', [
        {
          sql: `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'driftline' AND wait_event_type = 'Lock'`,
          params: [],
        },
      ])
      expect(Number(waiting[0]?.[0]?.[0])).toBe(1)
    })
    await rival.query('COMMIT')
    expect(await imported).toMatchObject({ ...counts, duplicate: 0, rejections: [] })
    const { rows } = await rival.query('SELECT id, name FROM lists ORDER BY id')
    expect(rows).toEqual(ids.map((id) => ({ id, name: id === 'l1' ? name : 'imported' })))
  },
)

it('P7 an import by COPY on a connection that has known the table before a migration', async () => {
  const store = postgresStore(opened.url, { connectionsMax: 1 })
  await rival.query('TRUNCATE lists, driftline_scopes')
  const grant = { scope: 'alice', isAllowed: () => true }
  for (const [id, columns] of Object.entries({ before: {}, after: { color: text({ nullable: true }) } })) {
    if (id === 'after') await rival.query('ALTER TABLE lists ADD COLUMN color text')
    const one = defineSchema({ lists: { name: text(), ...columns } })
    const operations = createOperations({ schema: one, store, transport: transportByCopy(one) })
    const options = { client: 'import', table: 'lists', at, grant }
    const row = { id, name: id, ...(id === 'after' && { color: 'red' }) }
    const importChunk = createImport(operations.importChunk, 'x', options)
    expect(await importChunk([{ line: 1, value: row }])).toMatchObject({ applied: 1, rejections: [] })
  }
  await store.close()
  const { rows } = await rival.query('SELECT id, color FROM lists ORDER BY id')
  expect(rows).toEqual([
    { id: 'after', color: 'red' },
    { id: 'before', color: null },
  ])
})
