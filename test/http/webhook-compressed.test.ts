import { createHmac } from 'node:crypto'
import { deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { schema } from '../support/schema.ts'
import { openTestStore, type TestStore } from '../support/stores.ts'

const secret = 'a secret that its sender shows'
const std = Buffer.from('C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfbDVOI', 'base64')
const hmac = (text: string | Uint8Array, as: 'hex' | 'base64' = 'hex') =>
  createHmac('sha256', secret).update(text).digest(as)
const now = () => Math.floor(Date.now() / 1000)

/** How each signs a body, which is the one that was to be sent. */
const senders: Record<string, (signed: Buffer, id: string) => Record<string, string>> = {
  stripe: (signed) => ({
    'Stripe-Signature': `t=${now()},v1=${hmac(Buffer.concat([Buffer.from(`${now()}.`), signed]))}`,
  }),
  github: (signed, id) => ({ 'X-GitHub-Delivery': id, 'X-Hub-Signature-256': `sha256=${hmac(signed)}` }),
  shopify: (signed, id) => ({ 'X-Shopify-Webhook-Id': id, 'X-Shopify-Hmac-Sha256': hmac(signed, 'base64') }),
  slack: (signed) => ({
    'X-Slack-Request-Timestamp': String(now()),
    'X-Slack-Signature': `v0=${hmac(Buffer.concat([Buffer.from(`v0:${now()}:`), signed]))}`,
  }),
  bearer: (_, id) => ({ Authorization: `Bearer ${secret}`, 'Idempotency-Key': id }),
  standard: (signed, id) => ({
    'webhook-id': id,
    'webhook-timestamp': String(now()),
    'webhook-signature': `v1,${createHmac('sha256', std).update(`${id}.${now()}.`).update(signed).digest('base64')}`,
  }),
}

describe.each(Object.keys(senders))('a compressed webhook that is signed as by %s', (scheme) => {
  let opened: TestStore
  beforeAll(async () => {
    opened = await openTestStore('libsql file')
  })
  afterAll(() => opened.close())

  async function send(coding: string, compress: (text: string) => Uint8Array<ArrayBuffer>, sign: 'before' | 'after') {
    const map = () => [{ scope: 'w', table: 'todos', op: 'put', id: coding, row: { title: coding } } as const]
    const app = createApp({
      ...{ schema, store: opened.store, auth: { secret: 'x'.repeat(32) } },
      webhookSecrets: { it: scheme === 'standard' ? [`whsec_${std.toString('base64')}`] : [secret] },
      webhooks: { it: { verify: scheme as 'stripe', map } },
    })
    const id = `${coding}-${sign}`
    const text = JSON.stringify({ id, event_id: id, event: { id } })
    const body = compress(text)
    const headers = senders[scheme]?.(Buffer.from(sign === 'before' ? text : body), id)
    return app.request('/v1/webhooks/it', {
      method: 'POST',
      body,
      headers: { ...headers, 'Content-Encoding': coding, 'Content-Type': 'application/json' },
    })
  }

  it.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['identity', (text: string) => new TextEncoder().encode(text)],
  ] as const)('is taken by its signature over the body without %s', async (coding, compress) => {
    const response = await send(coding, compress, 'before')
    expect([response.status, await response.json()]).toMatchObject([200, { verdicts: [{ verdict: 'applied' }] }])
    if (coding !== 'identity' && scheme !== 'bearer') expect((await send(coding, compress, 'after')).status).toBe(401)
  })
})
