import { createHmac } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { Problem } from '../../src/model/errors.ts'
import { readWebhookSecrets } from '../../src/webhooks/in/secrets.ts'
import type { WebhookSources } from '../../src/webhooks/in/sources.ts'
import { createVerifyWebhook } from '../../src/webhooks/in/verify.ts'
import { schema } from '../support/schema.ts'
import { openTestStore } from '../support/stores.ts'

type Source = WebhookSources<typeof schema>[string]
const idOf = async (
  source: Source,
  secrets: string[],
  headers: Record<string, string>,
  body: string,
  ageMsMax?: number,
) => {
  const verify = createVerifyWebhook({ x: secrets }, { x: source }, { ...(ageMsMax !== undefined && { ageMsMax }) })
  return (await verify('x', new Headers(headers), body)).id
}
const hmac = (secret: string, text: string, as: 'hex' | 'base64' = 'hex') =>
  createHmac('sha256', secret).update(text).digest(as)

/** What the providers publish, or what their pages describe where they publish no example. */
const now = 1_531_420_618
const github = {
  secret: "It's a Secret to Everybody",
  body: 'Hello, World!',
  headers: {
    'X-GitHub-Delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
    'X-Hub-Signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
  },
}
const slack = {
  secret: '8f742231b10e8888abcd99yyyzzz85a5',
  body: 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
  headers: {
    'X-Slack-Request-Timestamp': String(now),
    'X-Slack-Signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  },
}
const stripeBody = '{"id":"evt_1MqqbKLt4dXK03v5qaIbiNCC","object":"event","type":"customer.updated"}'
const stripe = {
  secret: 'whsec_5f8c1c0d9b1a4d3e8f7a6b5c4d3e2f1a',
  body: stripeBody,
  headers: {
    'Stripe-Signature': `t=${now},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39,v1=${hmac('whsec_5f8c1c0d9b1a4d3e8f7a6b5c4d3e2f1a', `${now}.${stripeBody}`)}`,
  },
}
const shopify = {
  secret: 'shpss_hush-hush',
  body: '{"id":820982911946154508}',
  headers: {
    'X-Shopify-Hmac-Sha256': hmac('shpss_hush-hush', '{"id":820982911946154508}', 'base64'),
    'X-Shopify-Webhook-Id': 'b54557e4-bdd9-4b37-8a5f-bf7d70bcd043',
    'X-Shopify-Event-Id': '98880550-7158-44d4-b7cd-2c97c8a091b5',
    'X-Shopify-Topic': 'orders/create',
  },
}
const bearer = {
  secret: 'a secret of the dashboard',
  body: '{"api_version":"1.0","event":{"id":"12345678-1234-1234-1234-123456789012","type":"RENEWAL"}}',
  headers: { Authorization: 'Bearer a secret of the dashboard' },
}
const senders = {
  github: { ...github, id: '72d3162e-cc78-11e3-81ab-4c9367dc0958' },
  slack: { ...slack, id: expect.stringMatching(/^body_[0-9a-f]{64}$/) },
  stripe: { ...stripe, id: 'evt_1MqqbKLt4dXK03v5qaIbiNCC' },
  shopify: { ...shopify, id: 'b54557e4-bdd9-4b37-8a5f-bf7d70bcd043' },
  bearer: { ...bearer, id: '12345678-1234-1234-1234-123456789012' },
}
type Name = keyof typeof senders
const names = Object.keys(senders) as Name[]

describe('the signatures of senders', () => {
  afterEach(() => void vi.useRealTimers())

  it.each(names)(
    'P14 of %s are verified, by any of the secrets, and give the id that takes effect once',
    async (verify) => {
      vi.useFakeTimers({ now: now * 1000 })
      const { secret, headers, body, id } = senders[verify]
      for (const secrets of [[secret], ['another secret', secret], [secret, 'another secret'], [`text:${secret}`]])
        expect(await idOf({ verify }, secrets, headers, body)).toEqual(id)
    },
  )

  it.each(names)('of %s are refused by one 401 where anything is other', async (verify) => {
    vi.useFakeTimers({ now: now * 1000 })
    const { secret, headers, body } = senders[verify]
    const entries = Object.entries(headers)
    const signed = verify === 'bearer' ? [] : [`${body} `, '', `\ufeff${body}`]
    const wrong: [string[], Record<string, string>, string][] = [
      [['another secret'], headers, body],
      [[secret.toUpperCase() === secret ? secret.toLowerCase() : secret.toUpperCase()], headers, body],
      [[secret], {}, body],
      ...signed.map((text): [string[], Record<string, string>, string] => [[secret], headers, text]),
      ...entries
        .filter(([name]) => /signature|hmac|timestamp|authorization|delivery/i.test(name))
        .flatMap(([name, value]) =>
          ['', value.slice(0, -1), `${value}0`, `${value}, ${value}`, 'x'].map(
            (other): [string[], Record<string, string>, string] => [[secret], { ...headers, [name]: other }, body],
          ),
        )
        // Of the delivery's id only its absence is a fault: it is not signed.
        .filter(
          ([, changed]) =>
            !['X-GitHub-Delivery'].some(
              (name) =>
                changed[name] !== undefined &&
                changed[name] !== '' &&
                changed[name] !== (headers as Record<string, string>)[name] &&
                !changed[name].includes(','),
            ),
        ),
    ]
    for (const [secrets, changed, text] of wrong) {
      const fault = await idOf({ verify }, secrets, changed, text).catch((error: unknown) => error)
      expect(fault, JSON.stringify(changed)).toBeInstanceOf(Problem)
      expect(fault).toMatchObject({ code: 'unauthorized' })
    }
    // Nor is it what Standard Webhooks or another source would take.
    await expect(idOf({}, [`text:${secret}`], headers, body)).rejects.toThrow(Problem)
  })

  it.each(['stripe', 'slack'] as const)('of %s are as old as a setting allows', async (verify) => {
    const { secret, headers, body } = senders[verify]
    for (const [seconds, ageMsMax, taken] of [
      [300, undefined, true],
      [301, undefined, false],
      [-301, undefined, false],
      [3_600, 3_600_000, true],
      [3_601, 3_600_000, false],
      [2, 1_000, false],
    ] as const) {
      vi.useFakeTimers({ now: (now + seconds) * 1000 })
      const id = idOf({ verify }, [secret], headers, body, ageMsMax)
      if (taken) expect(await id).toEqual(senders[verify].id)
      else await expect(id).rejects.toThrow(Problem)
    }
  })

  it("take the id of an event: of Slack's from the body, of RevenueCat's, or of the header; a row's is none", async () => {
    const at = String(Math.floor(Date.now() / 1000))
    const event = '{"type":"event_callback","event_id":"Ev08MFMKH6"}'
    const signed = {
      'X-Slack-Request-Timestamp': at,
      'X-Slack-Signature': `v0=${hmac(slack.secret, `v0:${at}:${event}`)}`,
    }
    expect(await idOf({ verify: 'slack' }, [slack.secret], signed, event)).toBe('Ev08MFMKH6')
    const plain = { Authorization: bearer.secret }
    expect(await idOf({ verify: 'bearer' }, [bearer.secret], { ...plain, 'Webhook-Id': 'w1' }, '{}')).toBe('w1')
    const [a, b, c] = await Promise.all(
      ['{"id":"row","n":1}', '{"id":"row","n":2}', '{"id":"row","n":1}'].map((body) =>
        idOf({ verify: 'bearer' }, [bearer.secret], plain, body),
      ),
    )
    expect([a === b, a === c]).toEqual([false, true])
    const { 'X-Shopify-Webhook-Id': _, ...older } = shopify.headers
    expect(await idOf({ verify: 'shopify' }, [shopify.secret], older, shopify.body)).toBe(
      '98880550-7158-44d4-b7cd-2c97c8a091b5:orders/create',
    )
  })

  it('may be verified by a function beside the map, which gives the id', async () => {
    const verify: Source['verify'] = async ({ headers, body, secrets }) => {
      if (headers.get('x-fails')) throw new Error('out of order')
      return headers.get('x-mine') === `${secrets[0]} ${body}` ? (headers.get('x-id') ?? '') : undefined
    }
    expect(await idOf({ verify }, ['s'], { 'X-Mine': 's {}', 'X-Id': 'i1' }, '{}')).toBe('i1')
    for (const id of ['', 'with a space', 'é'])
      expect(await idOf({ verify }, ['s'], { 'X-Mine': 's {}', ...(id !== 'é' && { 'X-Id': id }) }, '{}')).toMatch(
        /^body_/,
      )
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    await expect(idOf({ verify }, ['s'], { 'X-Mine': 't {}' }, '{}')).rejects.toThrow(Problem)
    await expect(idOf({ verify }, ['s'], { 'X-Fails': '1' }, '{}')).rejects.toThrow(Problem)
    expect(log).toHaveBeenCalledOnce()
    log.mockRestore()
  })

  it('P14 take effect once over HTTP, with the headers for the map, and Slack is told its challenge', async () => {
    const { store, close } = await openTestStore('libsql file')
    const map: Source['map'] = (payload, headers) => {
      const { n } = payload as { n?: number }
      return [
        { scope: 'shop', table: 'todos', op: 'put', id: 'o1', row: { title: `${headers.get('x-github-event')} ${n}` } },
      ]
    }
    const webhooks: WebhookSources<typeof schema> = { hub: { verify: 'github', map }, chat: { verify: 'slack', map } }
    const webhookSecrets = { hub: [github.secret], chat: [slack.secret] }
    const app = createApp({ schema, store, auth: { secret: 'x'.repeat(32) }, webhooks, webhookSecrets })
    const send = async (source: string, headers: Record<string, string>, body: string) => {
      const answer = await app.request(`/v1/webhooks/${source}`, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': 'application/json' },
        body,
      })
      return [answer.status, await answer.json()]
    }
    const hub = (id: string, body: string) =>
      send(
        'hub',
        {
          'X-GitHub-Event': 'push',
          'X-GitHub-Delivery': id,
          'X-Hub-Signature-256': `sha256=${hmac(github.secret, body)}`,
        },
        body,
      )
    const first = await hub('d1', '{"n":1}')
    expect(first).toMatchObject([200, { verdicts: [{ verdict: 'applied', action: 'inserted' }] }])
    expect(await hub('d2', '{"n":2}')).toMatchObject([200, { verdicts: [{ verdict: 'applied', action: 'updated' }] }])
    expect(await hub('d1', '{"n":1}')).toMatchObject([200, { verdicts: [{ verdict: 'applied', action: 'inserted' }] }])
    expect((await store.batch('shop', [{ sql: 'SELECT title FROM todos', params: [] }]))[0]).toEqual([['push 2']])
    const at = String(Math.floor(Date.now() / 1000))
    const asked = '{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}'
    const signed = {
      'X-Slack-Request-Timestamp': at,
      'X-Slack-Signature': `v0=${hmac(slack.secret, `v0:${at}:${asked}`)}`,
    }
    expect(await send('chat', signed, asked)).toEqual([200, { challenge: JSON.parse(asked).challenge }])
    expect(await send('chat', { ...signed, 'X-Slack-Signature': 'v0=00' }, asked)).toMatchObject([401, {}])
    await close()
  })
})

describe('secrets as their senders show them', () => {
  const base64 = 'aGVsZC1vdXQtd2ViaG9vay1zZWNyZXQtMDEyMzQ1Njc4OQ=='
  const standardKeys: [string, Uint8Array][] = [
    [`v1,whsec_${base64}`, Buffer.from(base64, 'base64')],
    [`whsec_${base64}`, Buffer.from(base64, 'base64')],
    [`whsec_${base64.replace(/=+$/, '')}`, Buffer.from(base64, 'base64')],
    ['polar_whs_Zq3k9mPz7TnWb2XyLf8Rv1Cg', Buffer.from('polar_whs_Zq3k9mPz7TnWb2XyLf8Rv1Cg')],
    ['text:whsec_no base64 at all', Buffer.from('whsec_no base64 at all')],
    ['text:text:ä secret', Buffer.from('text:ä secret')],
  ]
  it.each(standardKeys)('%s is taken', async (secret, key) => {
    const secrets = readWebhookSecrets(JSON.stringify({ x: secret }))
    const at = new Date()
    const headers = {
      'webhook-id': 'm1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(key, { format: 'raw' }).sign('m1', at, '{}'),
    }
    expect((await createVerifyWebhook(secrets)('x', new Headers(headers), '{}')).id).toBe('m1')
  })

  it.each([
    ['v2,whsec_', {}],
    ['v1,polar_whs_Zq3k9mPz7Tn', {}],
    ['text:short', {}],
    ['polar_', {}],
    ['a plain SECRET', {}],
    ['SECR3T', { x: { verify: 'github' } }],
    ['', { x: { verify: 'bearer' } }],
    ['a good secret, and long', { x: { verify: 'hub' } }],
    ['a good secret, and long', { x: { verify: 'constructor' } }],
  ] as [string, WebhookSources<typeof schema>][])(
    '%j of %j is refused by a sentence that shows none',
    (secret, sources) => {
      let message = ''
      try {
        readWebhookSecrets(JSON.stringify({ x: secret }), sources)
      } catch (error) {
        message = String(error)
      }
      expect(message).toMatch(
        /^TypeError: WEBHOOK_SECRETS: .*(whsec_ and the base64|used as its bytes must have|must be a function or one of standard, stripe, github, shopify, slack, bearer)/,
      )
      if (secret !== '') expect(message).not.toContain(secret)
    },
  )
})
