import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { prune } from '../../src/prune/prune.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { createRecorder } from '../../src/webhooks/out/record.ts'
import { principal } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { RealDate, step, stepTheClock } from '../support/step-clock.ts'
import { dialectStores, openTestStore, type TestStore } from '../support/stores.ts'
import { sendWebhook, webhookSecret } from '../support/webhook.ts'

const day = 86_400_000

stepTheClock()

describe.each(dialectStores)("what is kept by age, while the server's clock steps, on %s", (name) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore(name)
  })
  afterAll(() => opened.close())
  const endpoint = {
    name: 'crm',
    url: 'http://127.0.0.1:1/',
    scopes: ['*'],
    secret: webhookSecret,
    rows: false,
  } as const
  const prunes = () => prune(opened.store, schema, { retentionMs: 90 * day })
  const put = (id: string) =>
    ({ table: 'todos', op: 'put', id, at: RealDate.now() * 1000, row: { title: id } }) as const
  const del = (id: string) => ({ table: 'todos', op: 'delete', id, at: RealDate.now() * 1000 + 1 }) as const

  it.each([
    ['forward', 100 * day, [0, 100 * day, 0]],
    ['back', -100 * day, [-100 * day, 0]],
  ] as const)('P8 a prune while it is a hundred days %s takes no young tombstone', async (way, wrong, prunesAt) => {
    const sync = createSync({ schema, store: opened.store, now: RealDate.now })
    const who = principal(`kept-${way}`)
    await sync.push(who, { client: 'a', changes: [put('gone')] })
    const { cursor } = await sync.pull(who)
    step(wrong)
    await sync.push(who, { client: 'a', changes: [del('gone')] })
    for (const at of prunesAt) {
      step(at)
      await prunes()
    }
    const { changes } = await sync.pull(who, { cursor })
    expect(changes.map(({ op, id }) => `${op} ${id}`)).toEqual(['delete gone'])
  })

  it('P14 a prune while it is a month ahead forgets no webhook that may come again', async () => {
    const app = createApp({
      schema,
      store: opened.store,
      auth: { secret: 'a secret of the test, 32 bytes or more' },
      webhookSecrets: { crm: [webhookSecret] },
    })
    const body = (title: string) => ({
      scope: 'hooked',
      changes: [{ table: 'todos', op: 'put', id: 'h', row: { title } }],
    })
    const first = await sendWebhook(app.request, body('first'), { id: 'one' })
    await sendWebhook(app.request, body('second'), { id: 'two' })
    step(30 * day)
    await prunes()
    step(0)
    expect((await sendWebhook(app.request, body('first'), { id: 'one' })).body.verdicts).toEqual(first.body.verdicts)
    const sync = createSync({ schema, store: opened.store })
    expect((await sync.pull(principal('hooked'))).changes).toMatchObject([{ row: { title: 'second' } }])
  })

  it('P2 a delivery survives a prune while it is two months ahead, and one from then is due once that is over', async () => {
    const sync = createSync({
      schema,
      store: opened.store,
      record: createRecorder(opened.store.dialect, schema, [endpoint]),
    })
    const who = principal('told')
    const nextAt = async () => {
      const sql = `SELECT next_at FROM driftline_deliveries WHERE scope = 'told' ORDER BY position`
      const [rows = []] = await opened.store.batch('told', [{ sql, params: [] }])
      return rows.map(([at]) => Number(at) / 1000)
    }
    step(60 * day)
    await sync.push(who, { client: 'a', changes: [put('a')] })
    step(0)
    await sync.push(who, { client: 'a', changes: [put('b')] })
    step(60 * day)
    await prunes()
    step(0)
    await prunes()
    const times = await nextAt()
    expect(times).toHaveLength(2)
    expect(times[0]).toBeLessThanOrEqual(RealDate.now())
  })
})
