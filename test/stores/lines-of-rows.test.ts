import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startExport } from '../../src/bulk/export.ts'
import { createApp } from '../../src/http/app.ts'
import { readMigrations } from '../../src/migrations/read.ts'
import { bytes, json, real, text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import { findDatabases } from '../../src/runtime/node/databases.ts'
import { signToken } from '../../src/runtime/sign-token.ts'
import type { Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createPayload } from '../../src/webhooks/out/payload.ts'
import { create, openUrls } from '../support/many.ts'
import { sampleMigrations } from '../support/migrations.ts'
import { noon, principal } from '../support/sample.ts'
import { schema as sample } from '../support/schema.ts'
import { testSecret } from '../support/server.ts'
import { allStoreNames, openTestStore, type TestStore, temporaryFolder } from '../support/stores.ts'
import { linesOf } from '../support/streams.ts'

const schema = defineSchema({
  notes: {
    title: text(),
    extra: json({ nullable: true }),
    size: real({ nullable: true }),
    icon: bytes({ nullable: true }),
  },
})

/** Whatever looks like the place between two rows, or like a line of driftline's own. */
const forged = [
  [{ scope: 'a' }, { scope: 'b' }],
  '},{"scope":"x"',
  { cursor: 'x', more: false },
  [{ rows: 9 }, '\n{"rows":9}\n'],
  'a line\nbreak, a tab\t, a return\r, \u2028 and \u001e',
  { 'a\nkey': { scope: 's', '},\n{"scope': 1 } },
  [[], [[{ scope: 1 }, { scope: 2 }]]],
]

/** Opens `url` and gives lines of its stream. */
async function stream(store: Store, of: typeof sample, subject: string) {
  const app = createApp({ schema: of, store, auth: { secret: testSecret } })
  const Authorization = `Bearer ${await signToken(testSecret, { sub: subject })}`
  return app.request('/v1/pull?limit=3', { headers: { Authorization, Accept: 'application/x-ndjson' } })
}

describe.each(allStoreNames)('rows that hold what looks like another row on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name, schema)
  })
  afterAll(() => opened.close())

  it('P11 are one line each of a stream and an export, and one row of a page, a verdict and a delivery', async () => {
    const { store } = opened
    const alice = principal('alice')
    const sync = createSync({ schema, store, now: () => noon / 1000 })
    const rows = forged.map((extra, n) => ({
      title: JSON.stringify(extra),
      extra,
      size: n % 2 ? 0.1 + n : 1e-9,
      icon: 'AQI',
    }))
    const changes = rows.map((row, n) => ({ table: 'notes', op: 'put', id: `n${n}`, at: noon, row }) as const)
    const pushed = await sync.push(alice, { client: 'a', changes })
    expect(
      pushed.verdicts.map((one) => 'current' in one && one.current && 'row' in one.current && one.current.row),
    ).toEqual(rows)
    const rowsOf = (lines: readonly object[]) => lines.flatMap((line) => ('row' in line ? [line.row] : []))
    expect(rowsOf((await sync.pull(alice)).changes)).toEqual(rows)
    // Cut in the middle of what the database gave, where another scope comes before.
    for (let limit = 1; limit < rows.length; limit++) {
      const page = await sync.pull(principal('bob', { alice: 'read' }), { limit })
      expect(rowsOf(page.changes)).toEqual(rows.slice(0, limit))
      const rest = await sync.pull(principal('bob', { alice: 'read' }), { cursor: page.cursor })
      expect(rowsOf(rest.changes)).toEqual(rows.slice(limit))
    }
    const lines = await linesOf(await stream(store, schema as never, 'alice'))
    expect(rowsOf(lines)).toEqual(rows)
    expect(lines.map((line) => Object.keys(line)[0])).toEqual([
      'rows',
      'scope',
      'scope',
      'scope',
      'cursor',
      'scope',
      'scope',
      'scope',
      'cursor',
      'scope',
      'cursor',
    ])
    const { pages } = await startExport({ store, schema, scopes: ['alice'], cursor: null })
    let exported = ''
    for await (const page of pages) exported += page.text
    expect(
      rowsOf(
        exported
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ),
    ).toEqual(rows)
    const endpoint = { name: 'crm', rows: true } as Parameters<typeof createPayload>[2]
    const payload = await createPayload(
      store,
      schema,
      endpoint,
    )({
      ...({ scope: 'alice', from: 0, position: rows.length, createdAt: noon } as Parameters<
        ReturnType<typeof createPayload>
      >[0]),
    })
    expect(rowsOf(JSON.parse(payload).data.changes)).toEqual(rows)
  })

  it('P11 also where others wrote JSON by SQL, with white space between its values', async () => {
    const { store } = opened
    const spaced = `{"a":\n\t[1,\r\n{"scope":"x"},\n{"scope":"y"}],"b":"t\\tn\\n"}`
    const literal = `'${spaced}'`
    const deleted = store.dialect.name === 'postgres' ? 'false' : '0'
    const sync = createSync({ schema, store, now: () => noon / 1000 })
    const carol = principal('carol')
    await sync.push(carol, {
      client: 'a',
      changes: [{ table: 'notes', op: 'put', id: 'first', at: noon, row: { title: 't' } }],
    })
    const columns = 'scope, id, updated_at, updated_by, deleted, position, created_position, title, extra, size'
    for (const sql of [
      `INSERT INTO notes (${columns}) VALUES ('carol', 'by hand', 1, 'sql', ${deleted}, 2, 2, 'x', ${literal}, 0.1)`,
      `INSERT INTO notes (${columns}) VALUES ('carol', 'again', 1, 'sql', ${deleted}, 3, 3, 'x', ${literal}, 1e-9)`,
      `UPDATE driftline_scopes SET position = 3 WHERE scope = 'carol'`,
    ])
      await store.batch('carol', [{ sql, params: [] }])
    const extra = JSON.parse(spaced)
    const { changes } = await sync.pull(carol)
    expect(changes).toMatchObject([{ id: 'first' }, { row: { extra, size: 0.1 } }, { row: { extra, size: 1e-9 } }])
    const lines = await linesOf(await stream(store, schema as never, 'carol'))
    expect(lines).toMatchObject([{ rows: 3 }, { id: 'first' }, { row: { extra } }, { row: { extra } }, { more: false }])
    const patches = ['by hand', 'again'].map(
      (id) => ({ table: 'notes', op: 'patch', id, at: noon, row: { title: 'y' } }) as const,
    )
    const patched = await sync.push(carol, { client: 'a', changes: patches })
    expect(patched.verdicts).toMatchObject([
      { current: { row: { title: 'y', extra } } },
      { current: { row: { title: 'y', extra } } },
    ])
    const late = await sync.push(carol, {
      client: 'a',
      changes: patches.map((change) => ({ ...change, at: noon - 1 })),
    })
    expect(late.verdicts).toMatchObject([{ verdict: 'stale', current: { row: { extra } } }, { verdict: 'stale' }])
  })
})

describe('the stream of a scope that was never written', () => {
  it.each<[string, () => Promise<{ store: Store; drop: () => Promise<unknown> }>]>([
    [
      'where each scope has its own file',
      async () => {
        const { folder, drop } = await temporaryFolder()
        const databases = findDatabases(`file:${join(folder, 'data', '{scope}.db')}`, sample)
        const store = await databases.open(await readMigrations('sqlite', sampleMigrations))
        return { store, drop: () => store.close().then(drop) }
      },
    ],
    [
      'over shards',
      async () => {
        const store = await openUrls(await create(2))
        return { store, drop: () => store.close() }
      },
    ],
  ])('begins with 0 rows %s', async (_, open) => {
    const { store, drop } = await open()
    expect(await linesOf(await stream(store, sample, 'nobody'))).toMatchObject([{ rows: 0 }, { more: false }])
    await drop()
  })
})
