import pg from 'pg'
import { expect, it, vi } from 'vitest'
import { recordSql } from '../../src/sql/delivery-sql.ts'
import { postgres } from '../../src/sql/postgres/dialect.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { nodePost } from '../../src/webhooks/out/node-post.ts'
import { createRecorder } from '../../src/webhooks/out/record.ts'
import { createSender } from '../../src/webhooks/out/send.ts'
import { startReceiver } from '../support/receiver.ts'
import { alice, put } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { openTestStore } from '../support/stores.ts'

/**
 * The one moment at which a delivery could be left behind for good: it is recorded while the one
 * before it is on its way, and committed after the sender has looked for the next.
 */
it('P2 a delivery that is recorded while the one before it is sent is sent right after it', async () => {
  const opened = await openTestStore('postgres')
  const receiver = await startReceiver()
  const pushing = new pg.Client({ connectionString: opened.url })
  await pushing.connect()
  try {
    const endpoints = [receiver.endpoint()]
    const sync = createSync({
      schema,
      store: opened.store,
      record: createRecorder(opened.store.dialect, schema, endpoints),
    })
    await sync.push(alice, { client: 'a', changes: [put('1', 1, 'a')] })
    // A push that has taken its position and found the first delivery, and has not committed yet.
    await pushing.query('BEGIN')
    await pushing.query("UPDATE driftline_scopes SET position = position + 1 WHERE scope = 'alice'")
    await pushing.query("UPDATE todos SET position = 2 WHERE scope = 'alice'")
    const record = recordSql(postgres, schema.tables)
    const { rows } = await pushing.query(record, ['alice', 1, 'crm', 'msg_2', Date.now() * 1000])
    expect(rows).toEqual([{ next_at: String(Number.MAX_SAFE_INTEGER) }])
    const sender = createSender({ store: opened.store, schema, endpoints, post: nodePost({ allowPrivate: true }) })
    const sending = sender.sendScope('alice')
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1))
    await new Promise((resolve) => setTimeout(resolve, 200))
    await pushing.query('COMMIT')
    expect(await sending).toBeUndefined()
    expect(receiver.received.map(({ from, to }) => [from, to])).toEqual([
      [0, 1],
      [1, 2],
    ])
    expect((await opened.store.batch('alice', [{ sql: 'SELECT * FROM driftline_deliveries', params: [] }]))[0]).toEqual(
      [],
    )
  } finally {
    await pushing.end()
    await receiver.close()
    await opened.close()
  }
})

it('a push is recorded without reading the scope, however large it is and whatever Postgres knows of it', async () => {
  const opened = await openTestStore('postgres')
  const client = new pg.Client({ connectionString: opened.url })
  await client.connect()
  try {
    await client.query(
      "INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('alice', 'i', 50000, 0, 64)",
    )
    const row = "'alice', g::text, 1, 'x', false, g, g, 't', false, 0"
    await client.query(`INSERT INTO todos SELECT ${row} FROM generate_series(1, 50000) AS g`)
    // Those of another endpoint, which has been disabled for long.
    await client.query(`INSERT INTO driftline_deliveries
SELECT 'alice', 'b', g, g - 1, 'm', 0, 0, 0, '', 0 FROM generate_series(1, 50000) AS g`)
    await client.query(`PREPARE record AS ${recordSql(postgres, schema.tables)}`)
    for (const known of [false, true]) {
      if (known) await client.query('ANALYZE')
      const { rows } = await client.query("EXPLAIN EXECUTE record ('alice', 50, 'crm', 'm', 1)")
      const plan = rows.map((line) => line['QUERY PLAN']).join('\n')
      expect(plan).toMatch(/Index Only Scan Backward using todos_position/)
      expect(plan).not.toMatch(/Seq Scan on (todos|driftline_deliveries)/)
    }
  } finally {
    await client.end()
    await opened.close()
  }
})
