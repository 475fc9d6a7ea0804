import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { noon, principal, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { inThisRun, openTestStore, type TestStore } from '../support/stores.ts'
import { sendWebhook, webhookSecret } from '../support/webhook.ts'

/** Few ids and few stamps, so that changes meet, tie and repeat; some without a stamp. */
const change = fc
  .record({
    op: fc.constantFrom('put', 'patch', 'patch', 'delete'),
    table: fc.constantFrom('todos', 'todos', 'lists'),
    id: fc.constantFrom('a', 'a', 'a', 'b'),
    at: fc.integer({ min: 1, max: 4 }),
    text: fc.constantFrom('one', 'two', 'three'),
    columns: fc.subarray(['title', 'priority', 'notes'] as const, { minLength: 1 }),
    number: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ op, table, id, at, text, columns, number }) => {
    const all =
      table === 'lists' ? { name: text } : { title: text, priority: number, notes: number > 4 ? null : `n${number}` }
    const some = Object.entries(all).filter(([name]) => name === 'name' || (columns as string[]).includes(name))
    const row = op === 'put' ? all : Object.fromEntries(some)
    return { table, op, id, at: noon + at, ...(op !== 'delete' && { row }) }
  })

const essence = (changes: readonly object[]) =>
  changes.map((one) => JSON.stringify({ ...one, scope: '', position: 0, at: 0 })).sort()

const runs = { 'libsql file': 100, postgres: 40, 'durable-object': 10 }

describe.each(inThisRun(['libsql file', 'postgres', 'durable-object']))('webhooks on %s', (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())
  const now = () => noon / 1000 + 1

  it('P7 P12 P14 the verdicts and rows of a webhook are those of the same push, and a retry gets the verdicts again', async () => {
    const app = createApp({
      schema,
      store: opened.store,
      auth: { secret: 'x'.repeat(32) },
      webhookSecrets: { crm: [webhookSecret] },
      now,
    })
    const sync = sampleSync(opened.store, now)
    let round = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 5 }),
        fc.array(change, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('rival', 'crm', 'another'),
        async (stored, changes, rival) => {
          round++
          const [hooked, pushed] = [principal(`hooked${round}`), principal(`pushed${round}`)]
          // biome-ignore lint/suspicious/noExplicitAny: of any table
          for (const who of [hooked, pushed]) await sync.push(who, { client: rival, changes: stored as any })
          // biome-ignore lint/suspicious/noExplicitAny: of any table
          const push = await sync.push(pushed, { client: 'crm', changes: changes as any })
          const expected = push.verdicts.map((verdict) => ({ ...verdict, current: undefined }))

          const payload = { scope: hooked.subject, changes }
          const first = await sendWebhook(app.request, payload, { id: `m${round}` })
          expect(first.status).toBe(200)
          expect(first.body.verdicts).toEqual(JSON.parse(JSON.stringify(expected)))
          const [rows, same] = [await sync.pull(hooked), await sync.pull(pushed)]
          expect(essence(rows.changes)).toEqual(essence(same.changes))

          const again = await sendWebhook(app.request, payload, { id: `m${round}` })
          expect(again.body.verdicts).toEqual(first.body.verdicts)
          expect((await sync.pull(hooked)).changes).toEqual(rows.changes)
        },
      ),
      { numRuns: runs[name] },
    )
  })

  it('P1 changes without a stamp win over whatever is stored, as if they had come one by one with later stamps', async () => {
    const app = createApp({
      schema,
      store: opened.store,
      auth: { secret: 'x'.repeat(32) },
      webhookSecrets: { crm: [webhookSecret] },
      now,
    })
    const sync = sampleSync(opened.store, now)
    let round = 0
    // The stored stamps lie before, at and after the server's clock.
    const stampless = fc.array(fc.record({ one: change, plain: fc.boolean() }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 5 }),
        stampless,
        fc.constantFrom(0, 997, 60_000_000),
        async (stored, changes, ahead) => {
          round++
          const [hooked, pushed] = [principal(`newest${round}`), principal(`stamped${round}`)]
          const before = stored.map((one) => ({ ...one, at: one.at + ahead }))
          // biome-ignore lint/suspicious/noExplicitAny: of any table
          for (const who of [hooked, pushed]) await sync.push(who, { client: 'phone', changes: before as any })
          const held = (await sync.pull(hooked)).changes
          // Those without a stamp come last, in their order.
          const withStamps = changes.map(({ one, plain }, index) =>
            plain ? one : { ...one, at: noon + 100_000_000 + index },
          )
          // biome-ignore lint/suspicious/noExplicitAny: of any table
          const push = await sync.push(pushed, { client: 'crm', changes: withStamps as any })
          const expected = push.verdicts.map((verdict) => ({ ...verdict, current: undefined }))

          const bare = changes.map(({ one: { at, ...rest }, plain }) => (plain ? { ...rest, at } : rest))
          const answer = await sendWebhook(app.request, { scope: hooked.subject, changes: bare })
          expect(answer.body.verdicts).toEqual(JSON.parse(JSON.stringify(expected)))
          const [rows, same] = [await sync.pull(hooked), await sync.pull(pushed)]
          expect(essence(rows.changes)).toEqual(essence(same.changes))
          for (const row of rows.changes) {
            const old = held.find(({ table, id }) => table === row.table && id === row.id)
            expect(row.at).toBeGreaterThanOrEqual(old?.at ?? 0)
            // Nothing of the place that it had among the others is stored (P10).
            expect(row.at).toBeLessThanOrEqual(Math.max(now() * 1000, ...before.map(({ at }) => at + 1)))
          }
        },
      ),
      { numRuns: runs[name] },
    )
  })
})
