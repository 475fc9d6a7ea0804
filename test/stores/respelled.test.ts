import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { bytes, decimal, json, text, timestamp } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/define-schema.ts'
import type { SyncEvent } from '../../src/observe/facts.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { noon, principal } from '../support/sample.ts'
import { testSecret } from '../support/server.ts'
import { dialectStores, openTestStore, type TestStore } from '../support/stores.ts'
import { sendWebhook, webhookSecret } from '../support/webhook.ts'

const schema = defineSchema({
  events: {
    title: text({ default: 'none' }),
    due: timestamp({ nullable: true }),
    exactly: timestamp({ digits: 6, nullable: true }),
    price: decimal({ nullable: true }),
    data: json({ nullable: true }),
    raw: bytes({ nullable: true }),
  },
})

describe.each(dialectStores)('what is stored otherwise than it was sent, on %s', (name) => {
  let opened: TestStore
  const events: SyncEvent[] = []
  beforeAll(async () => {
    opened = await openTestStore(name, schema)
  })
  afterAll(() => opened.close())
  const options = () => ({
    ...{ schema, store: opened.store, now: () => noon / 1000 },
    onSync: (event: SyncEvent) => events.push(event),
  })
  const put = (id: string, row: object) => ({ table: 'events', op: 'put', id, at: noon, row }) as const
  const push = async (scope: string, changes: ReturnType<typeof put>[]) => {
    const { verdicts } = await createSync(options()).push(principal(scope), { client: 'a', changes, return: 'lost' })
    await new Promise((resolve) => setTimeout(resolve))
    return verdicts
  }

  it('P7 comes back with "return": "lost", applied or again, and what is stored as it was sent does not', async () => {
    const zoned = put('a', { due: '2026-01-31T09:30:00.5+01:00', exactly: '2026-01-31t08:30:00Z' })
    const canonical = put('a', { due: '2026-01-31T08:30:00.500Z', exactly: '2026-01-31T08:30:00.000000Z' })
    const alone = put('b', { due: '2026-01-31T08:30:00.000Z' })
    const current = expect.objectContaining({ row: expect.objectContaining(canonical.row) })
    expect(await push('spelled', [zoned, alone])).toEqual([
      { verdict: 'applied', action: 'inserted', current },
      { verdict: 'applied', action: 'inserted' },
    ])
    expect(await push('spelled', [zoned])).toEqual([{ verdict: 'duplicate', current }])
    expect(await push('spelled', [canonical])).toEqual([{ verdict: 'duplicate' }])
    expect(events.slice(-3).map(({ conflicting }) => conflicting)).toEqual([0, 0, 0])
  })

  it('P5 is told from the same content in every type', async () => {
    const row = {
      title: 'x',
      due: '2026-01-31T08:30:00.000Z',
      price: '1.10',
      data: { b: [-0, 1e-7], 1: 'x' },
      raw: '-_-_',
    }
    // Minus nought is nought.
    const stored = JSON.parse(JSON.stringify(row))
    const same = put('c', { ...row, data: { 1: 'x', b: [0, 1e-7] }, exactly: null })
    await push('same', [put('c', row)])
    expect(await push('same', [same])).toEqual([{ verdict: 'duplicate' }])
    const others = [
      { title: 'y' },
      { due: null },
      { price: '1.1' },
      { data: { b: [0, 2e-7], 1: 'x' } },
      { raw: '-_-8' },
    ]
    for (const other of [...others, { exactly: '2026-01-31T08:30:00.000001Z' }, { title: undefined }]) {
      const { title, ...rest } = { ...row, ...other }
      const [verdict] = await push('same', [put('c', title === undefined ? rest : { title, ...rest })])
      expect(verdict, JSON.stringify(other)).toMatchObject({ verdict: 'duplicate', current: { row: stored } })
      expect(events.at(-1)?.conflicting).toBe(1)
    }
  })

  it('P14 is counted of a webhook that comes with a stamp, and its answer carries no row', async () => {
    const secrets = { auth: { secret: testSecret }, webhookSecrets: { crm: [webhookSecret] } }
    const app = createApp({ ...options(), ...secrets })
    const send = async (titles: Record<string, string>) => {
      const changes = Object.entries(titles).map(([id, title]) => put(id, { title }))
      const { body } = await sendWebhook(app.request, { scope: 'hooked', changes })
      await new Promise((resolve) => setTimeout(resolve, 20))
      return body.verdicts
    }
    await send({ a: 'one', b: 'two' })
    expect(await send({ a: 'one', b: 'other', c: 'new' })).toEqual([
      { verdict: 'duplicate' },
      { verdict: 'duplicate' },
      { verdict: 'applied', action: 'inserted' },
    ])
    expect(events.at(-1)).toMatchObject({ operation: 'webhook', conflicting: 1 })
  })
})
