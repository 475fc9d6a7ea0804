import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { timestamptzToMicroseconds } from '../../../src/model/timestamptz.ts'
import { supabaseWebhook } from '../../../src/webhooks/in/supabase.ts'
import { schema } from '../../support/schema.ts'
import { createDatabase } from '../../support/stores.ts'

const secret = `whsec_${Buffer.from('a secret of thirty-two bytes, yes').toString('base64')}`

// What Supabase has: the Vault, pgcrypto in its own schema, and pg_net, of which only the queue is
// played here, with the body in the bytes that pg_net puts there.
const supabase = `
  CREATE SCHEMA extensions; CREATE EXTENSION pgcrypto SCHEMA extensions;
  CREATE SCHEMA vault; CREATE TABLE vault.decrypted_secrets (name text, decrypted_secret text);
  CREATE SCHEMA net; CREATE TABLE net.queue (n serial, url text, headers jsonb, body bytea);
  CREATE FUNCTION net.http_post(url text, body jsonb DEFAULT '{}', params jsonb DEFAULT '{}',
    headers jsonb DEFAULT '{}', timeout_milliseconds int DEFAULT 5000) RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO net.queue (url, headers, body) VALUES (url, headers, convert_to(body::text, 'UTF8')) RETURNING n $$;
  CREATE TABLE public.todos (id bigint PRIMARY KEY, owner text, title text, updated_at timestamptz);`

const map = supabaseWebhook(schema, {
  todos: {
    table: 'todos',
    scope: (todo: { owner: string }) => todo.owner,
    row: (todo: { title: string }) => ({ title: todo.title }),
    at: ({ updated_at }) => timestamptzToMicroseconds(updated_at),
  },
})

describe('src/webhooks/in/supabase.sql', () => {
  let client: pg.Client
  beforeAll(async () => {
    client = new pg.Client({ connectionString: await createDatabase() })
    await client.connect()
    await client.query(supabase)
    await client.query(await readFile(new URL('../../../src/webhooks/in/supabase.sql', import.meta.url), 'utf8'))
    await client.query(`CREATE TRIGGER driftline AFTER INSERT OR UPDATE OR DELETE ON public.todos
      FOR EACH ROW EXECUTE FUNCTION public.driftline_webhook('https://sync.example.com/v1/webhooks/crm')`)
  })
  afterAll(() => client.end())

  it('says that there is no secret', async () => {
    await expect(client.query(`INSERT INTO todos VALUES (1)`)).rejects.toThrow(/vault\.create_secret/)
  })

  it('signs as the library verifies, and sends what the mapping reads', async () => {
    await client.query(`INSERT INTO vault.decrypted_secrets VALUES ('driftline_webhook', $1)`, [secret])
    const time = '2026-11-21T02:00:00.000001Z'
    await client.query(`INSERT INTO todos VALUES (7, 'alice', $1, $2)`, [`"Ada's" €😀\n`, time])
    await client.query(`UPDATE todos SET owner = 'bob', updated_at = updated_at + interval '1 microsecond'`)
    await client.query(`DELETE FROM todos`)
    const { rows } = await client.query('SELECT url, headers, body FROM net.queue ORDER BY n')
    const webhook = new Webhook(secret)
    const changes = rows.map(({ headers, body }) => map(webhook.verify(body.toString('utf8'), headers)))
    const [at, place, row] = [1_795_226_400_000_001, { table: 'todos', id: '7' }, { title: `"Ada's" €😀\n` }]
    expect(changes).toEqual([
      [{ ...place, scope: 'alice', op: 'put', row, at }],
      [
        { ...place, scope: 'alice', op: 'delete', at: at + 1 },
        { ...place, scope: 'bob', op: 'put', row, at: at + 1 },
      ],
      [{ ...place, scope: 'bob', op: 'delete', at: expect.any(Number) }],
    ])
    expect(new Set(rows.map(({ headers }) => headers['webhook-id'])).size).toBe(3)
    expect(rows[0]).toMatchObject({
      url: 'https://sync.example.com/v1/webhooks/crm',
      headers: { 'Content-Type': 'application/json', 'webhook-id': expect.stringMatching(/^msg_[0-9a-f]{32}$/) },
    })
    expect(() => webhook.verify(`${rows[0].body} `, rows[0].headers)).toThrow(/No matching signature/)
  })

  it('P2 stamps every change of a row later than the one before, also in one transaction', async () => {
    await client.query(`CREATE TRIGGER driftline_touch BEFORE INSERT OR UPDATE ON public.todos
      FOR EACH ROW EXECUTE FUNCTION public.driftline_touch()`)
    await client.query('TRUNCATE net.queue')
    await client.query(`BEGIN; INSERT INTO todos VALUES (9, 'alice', 'x', now())`)
    for (const title of ['y', 'z']) await client.query('UPDATE todos SET title = $1 WHERE id = 9', [title])
    await client.query(`UPDATE todos SET title = 'end' WHERE id = 9; COMMIT`)
    // As if the clock had been set back.
    await client.query('ALTER TABLE todos DISABLE TRIGGER driftline_touch')
    await client.query(`UPDATE todos SET updated_at = now() + interval '1 day'`)
    await client.query('ALTER TABLE todos ENABLE TRIGGER driftline_touch')
    await client.query(`UPDATE todos SET title = 'later'`)
    const { rows } = await client.query('SELECT body FROM net.queue ORDER BY n')
    const times = rows.map(({ body }) => timestamptzToMicroseconds(JSON.parse(body.toString()).record.updated_at))
    expect(times).toHaveLength(6)
    expect(new Set(times).size).toBe(6)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    await client.query('DELETE FROM todos; DROP TRIGGER driftline_touch ON todos; TRUNCATE net.queue')
  })

  it('P2 stamps a delete after the row that it was and before the one in its place, also in one transaction', async () => {
    await client.query(`CREATE TRIGGER driftline_touch BEFORE INSERT OR UPDATE ON public.todos
      FOR EACH ROW EXECUTE FUNCTION public.driftline_touch()`)
    await client.query(`BEGIN; INSERT INTO todos VALUES (9, 'alice', 'x'); UPDATE todos SET title = 'y'; DELETE FROM todos;
      INSERT INTO todos VALUES (9, 'alice', 'z'); COMMIT`)
    const { rows } = await client.query('SELECT body FROM net.queue ORDER BY n')
    const changes = rows.flatMap(({ body }) => map(JSON.parse(body.toString())))
    expect(changes.map(({ op }) => op)).toEqual(['put', 'put', 'delete', 'put'])
    const times = changes.map(({ at }) => at ?? 0)
    expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b))
    await client.query('DELETE FROM todos; DROP TRIGGER driftline_touch ON todos; TRUNCATE net.queue')
  })

  it('lets whoever may write the table cause a webhook, without the right to the secret', async () => {
    await client.query(`CREATE ROLE anyone; GRANT ALL ON todos TO anyone; SET ROLE anyone`)
    try {
      await client.query(`INSERT INTO todos VALUES (8, 'alice', 'x', now())`)
      await expect(client.query('SELECT * FROM vault.decrypted_secrets')).rejects.toThrow(/permission denied/)
    } finally {
      await client.query('RESET ROLE; DROP OWNED BY anyone; DROP ROLE anyone')
    }
    const { rows } = await client.query('SELECT count(*)::int AS count FROM net.queue')
    expect(rows).toEqual([{ count: 1 }])
  })
})
