import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import type { RequestEvent } from '../../src/observe/facts.ts'
import { tooSlowCode } from '../../src/stores/fault.ts'
import { type Store, StoreFault } from '../../src/stores/store.ts'
import { noon, principal, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'
import { sendWebhook, webhookSecret } from '../support/webhook.ts'

const own = 'CREATE UNIQUE INDEX lists_name ON lists (scope, name);'
const count = 400
const isBad = (n: number) => n % 50 > 47

describe('a webhook of which the database refuses more than can be told in time', () => {
  let opened: TestStore
  let store: Store
  /** How many rehearsals are in time. */
  let inTime = 0
  beforeAll(async () => {
    opened = await openTestStore('libsql file', schema, { postgres: own, sqlite: own })
    const { rehearse } = opened.store
    store = {
      ...opened.store,
      async rehearse(scope, rehearsal) {
        if (inTime-- <= 0 || !rehearse) throw new StoreFault('transient', { message: 'too slow', code: tooSlowCode })
        return rehearse(scope, rehearsal)
      },
    }
  })
  afterAll(() => opened.close())

  const open = () => {
    const events: RequestEvent[] = []
    const app = createApp({
      ...{ schema, store, auth: { secret: 'x'.repeat(32) }, webhookSecrets: { crm: [webhookSecret] } },
      now: () => noon / 1000 + 1,
      onRequest: (event) => events.push(event),
    })
    return { app, events }
  }
  const change = (n: number) => ({
    table: 'lists',
    op: 'put',
    id: `l${n}`,
    row: { name: isBad(n) ? 'taken' : `n${n}` },
  })
  const changes = [{ table: 'lists', op: 'put', id: 'taken', row: { name: 'taken' } }].concat(
    Array.from({ length: count }, (_, n) => change(n)),
  )

  it('P14 goes on with what was left when it comes again, and what took effect does not come back', async () => {
    const { app, events } = open()
    const send = async (id: string, tries: number) => {
      inTime = tries
      const { status, body } = await sendWebhook(app.request, { scope: 'left', changes }, { id })
      expect(status).toBe(200)
      return body.verdicts.map(
        ({ verdict, error }: { verdict: string; error?: { code: string } }) => error?.code ?? verdict,
      )
    }
    const sync = sampleSync(opened.store, () => noon / 1000 + 1)
    const rows = async () => (await sync.pull(principal('left'), { limit: 5_000 })).changes
    const first = await send('w1', 1)
    const left = first.filter((code: string) => code === 'send_fewer').length
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(count)
    expect(first).toContain('applied')
    await expect.poll(() => events.at(-1)?.rejected).toMatchObject({ send_fewer: left })
    const before = await rows()
    // The same again, where it is as slow: nothing changes.
    expect(await send('w1', 0)).toEqual(first)
    expect(await rows()).toEqual(before)
    const last = await send('w1', 1_000)
    expect(last).toEqual(['applied', ...Array.from({ length: count }, (_, n) => (isBad(n) ? 'constraint' : 'applied'))])
    await expect
      .poll(() => events.at(-1)?.rejected)
      .toEqual({ constraint: last.filter((one: string) => one === 'constraint').length })
    const after = await rows()
    expect(after.slice(0, before.length)).toEqual(before)
    expect(after).toHaveLength(last.filter((one: string) => one === 'applied').length)
    expect(await send('w1', 0)).toEqual(last)
    expect(await rows()).toEqual(after)
  })

  it('P14 goes on where nothing of it took effect', async () => {
    const { app } = open()
    const send = async (tries: number) => {
      inTime = tries
      const { body } = await sendWebhook(app.request, { scope: 'none', changes }, { id: 'w2' })
      return new Set(
        body.verdicts.map(
          ({ verdict, error }: { verdict: string; error?: { code: string } }) => error?.code ?? verdict,
        ),
      )
    }
    expect(await send(0)).toEqual(new Set(['send_fewer']))
    expect(await send(1_000)).toEqual(new Set(['applied', 'constraint']))
  })
})
