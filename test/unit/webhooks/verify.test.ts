import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Problem } from '../../../src/model/errors.ts'
import { readWebhookSecrets } from '../../../src/webhooks/in/secrets.ts'
import { createVerifyWebhook } from '../../../src/webhooks/in/verify.ts'
import { createSigner } from '../../../src/webhooks/signer.ts'
import { otherSecret, signedHeaders, webhookSecret } from '../../support/webhook.ts'

const verifyAll = createVerifyWebhook({ crm: [webhookSecret], turning: [otherSecret, webhookSecret] })
const verify = (...given: Parameters<typeof verifyAll>) => verifyAll(...given).then(({ id }) => id)
const body = '{"test": 2432232314}'
const headersOf = (init: HeadersInit) => new Headers(init)

/**
 * The specification's own example: https://www.standardwebhooks.com and the tests of its libraries.
 */
const vector = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1614265330,
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}

describe('the signature of a webhook', () => {
  afterEach(() => void vi.useRealTimers())

  it('is the one of the specification', async () => {
    vi.useFakeTimers({ now: vector.timestamp * 1000 })
    const specifiedAll = createVerifyWebhook({ crm: [vector.secret] })
    const specified = (...given: Parameters<typeof specifiedAll>) => specifiedAll(...given).then(({ id }) => id)
    const names = (prefix: string) => ({
      [`${prefix}-id`]: vector.id,
      [`${prefix}-timestamp`]: String(vector.timestamp),
      [`${prefix}-signature`]: vector.signature,
    })
    expect(await specified('crm', headersOf(names('webhook')), body)).toBe(vector.id)
    // As Svix names them.
    expect(await specified('crm', headersOf(names('svix')), body)).toBe(vector.id)
    for (const wrong of ['{"test":2432232314}', `${body} `, '', `\ufeff${body}`])
      await expect(specified('crm', headersOf(names('webhook')), wrong)).rejects.toThrow(Problem)
  })

  it('is signed by the platform as the library signs', () => {
    return fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        fc.integer({ min: 0, max: 4e12 }),
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        async (text, ms, key) => {
          const secret = `whsec_${Buffer.from(key).toString('base64')}`
          const expected = new Webhook(secret).sign('msg_1', new Date(ms), text)
          expect(await createSigner(secret).sign('msg_1', new Date(ms), text)).toBe(expected)
        },
      ),
    )
  })

  it('is of an id of up to 256 characters', async () => {
    const id = '!~.'.repeat(86).slice(0, 256)
    expect(await verify('crm', headersOf(signedHeaders(body, id)), body)).toBe(id)
  })

  it('may be one of several, by any of the secrets of the source', async () => {
    const mine = signedHeaders(body, 'm1')
    const signature = mine['webhook-signature'] ?? ''
    for (const list of [
      signature,
      `v1,${btoa('x'.repeat(32))} ${signature}`,
      `v1a,${btoa('x'.repeat(64))} ${signature} v2,AAAA`,
    ]) {
      expect(await verify('crm', headersOf({ ...mine, 'webhook-signature': list }), body)).toBe('m1')
      expect(await verify('turning', headersOf({ ...mine, 'webhook-signature': list }), body)).toBe('m1')
    }
    expect(await verify('turning', headersOf(signedHeaders(body, 'm2', { secret: otherSecret })), body)).toBe('m2')
  })

  it('may be five minutes old or early, and no more', async () => {
    const now = new Date(1_800_000_000_000)
    vi.useFakeTimers({ now })
    const at = (seconds: number) => new Date(now.getTime() + seconds * 1000)
    for (const seconds of [-300, -1, 0, 300])
      expect(await verify('crm', headersOf(signedHeaders(body, 'm', { at: at(seconds) })), body)).toBe('m')
    for (const seconds of [-301, 301, -86_400, 1e9])
      await expect(verify('crm', headersOf(signedHeaders(body, 'm', { at: at(seconds) })), body)).rejects.toThrow(
        Problem,
      )
  })

  const good = () => signedHeaders(body, 'm')
  const without = (name: string) => Object.fromEntries(Object.entries(good()).filter(([one]) => one !== name))
  const doubled = (name: string, value?: string) => {
    const headers = headersOf(good())
    headers.append(name, value ?? headers.get(name) ?? '')
    return headers
  }
  const signature = () => good()['webhook-signature'] ?? ''
  const wrong: [string, string, () => HeadersInit][] = [
    ['no id', 'crm', () => without('webhook-id')],
    ['no timestamp', 'crm', () => without('webhook-timestamp')],
    ['no signature', 'crm', () => without('webhook-signature')],
    ['nothing', 'crm', () => ({})],
    ['an empty id', 'crm', () => ({ ...good(), 'webhook-id': '' })],
    ['another id', 'crm', () => ({ ...good(), 'webhook-id': 'n' })],
    ['an id of 257 characters', 'crm', () => signedHeaders(body, 'x'.repeat(257))],
    ['an id with a space', 'crm', () => signedHeaders(body, 'a b')],
    ['an id that is not ASCII', 'crm', () => signedHeaders(body, 'é')],
    ['an empty signature', 'crm', () => ({ ...good(), 'webhook-signature': '' })],
    ['a signature without a version', 'crm', () => ({ ...good(), 'webhook-signature': signature().slice(3) })],
    ['only the version', 'crm', () => ({ ...good(), 'webhook-signature': 'v1,' })],
    ['another version', 'crm', () => ({ ...good(), 'webhook-signature': signature().replace('v1', 'v2') })],
    ['a cut signature', 'crm', () => ({ ...good(), 'webhook-signature': signature().slice(0, -2) })],
    ['a longer one', 'crm', () => ({ ...good(), 'webhook-signature': `${signature()}=` })],
    ['another timestamp', 'crm', () => ({ ...good(), 'webhook-timestamp': String(Math.floor(Date.now() / 1000) - 9) })],
    [
      'a timestamp with more behind it',
      'crm',
      () => ({ ...good(), 'webhook-timestamp': `${good()['webhook-timestamp']}x` }),
    ],
    [
      'a timestamp with a fraction',
      'crm',
      () => ({ ...good(), 'webhook-timestamp': `${good()['webhook-timestamp']}.5` }),
    ],
    ['a timestamp in words', 'crm', () => ({ ...good(), 'webhook-timestamp': new Date().toUTCString() })],
    ['a hexadecimal timestamp', 'crm', () => ({ ...good(), 'webhook-timestamp': '0x7fffffff' })],
    ['the id twice', 'crm', () => doubled('webhook-id')],
    ['the timestamp twice', 'crm', () => doubled('webhook-timestamp')],
    ['the signature twice', 'crm', () => doubled('webhook-signature')],
    ['a wrong signature beside it', 'crm', () => doubled('webhook-signature', `v1,${btoa('x'.repeat(32))}`)],
    [
      'two kinds of names mixed',
      'crm',
      () => ({ ...without('webhook-timestamp'), 'svix-timestamp': good()['webhook-timestamp'] ?? '' }),
    ],
    ['an unknown source', 'erp', good],
    ['a source named as a member of every object', 'constructor', good],
    ['a source named __proto__', '__proto__', good],
    ['no source', '', good],
    ["another source's secret", 'crm', () => signedHeaders(body, 'm', { secret: otherSecret })],
  ]

  it.each(wrong)('with %s it is refused, by the same words', async (_, source, headers) => {
    let fault: unknown
    try {
      await verify(source, headersOf(headers()), body)
    } catch (error) {
      fault = error
    }
    expect(fault).toEqual(
      new Problem(
        'unauthorized',
        'The source is unknown, the signature is wrong, or the timestamp is more than five minutes off.',
        { headers: { 'WWW-Authenticate': 'Signature realm="driftline"' } },
      ),
    )
  })
})

describe('WEBHOOK_SECRETS', () => {
  it('has one secret or several for a source', () => {
    expect(readWebhookSecrets(JSON.stringify({ crm: webhookSecret, shop: [webhookSecret, otherSecret] }))).toEqual({
      crm: [webhookSecret],
      shop: [webhookSecret, otherSecret],
    })
    expect(readWebhookSecrets()).toEqual({})
    expect(readWebhookSecrets(' ')).toEqual({})
  })

  it.each([
    ['no JSON', `{"crm":"${webhookSecret}"`],
    ['an array', `["${webhookSecret}"]`],
    ['a text', `"${webhookSecret}"`],
    ['a number for a secret', '{"crm":5}'],
    ['no secret', '{"crm":[]}'],
    ['an empty secret', '{"crm":""}'],
    ['a secret without whsec_', `{"crm":"${webhookSecret.slice(6)}"}`],
    ['a short secret', '{"crm":"whsec_c2hvcnRzZWNyZXQ="}'],
    ['a secret of 65 bytes', `{"crm":"whsec_${btoa('x'.repeat(65))}"}`],
    ['a secret that is no base64', '{"crm":"whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"}'],
    ['a bad name', `{"a b":"${webhookSecret}"}`],
    ['a name that is too long', `{"${'x'.repeat(65)}":"${webhookSecret}"}`],
  ])('is refused with %s, by a sentence that shows none', (_, text) => {
    let message = ''
    try {
      readWebhookSecrets(text)
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError)
      message = String(error)
    }
    expect(message).toMatch(/WEBHOOK_SECRETS/)
    for (const shown of ['C2FVsBQI', 'c2hvcnR', '!!!']) expect(message).not.toContain(shown)
  })
})
