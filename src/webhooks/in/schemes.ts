import { isObject } from '../../model/untrusted.ts'
import { hmac, readKey, readTextKey, Signer, toBase64, toHex } from '../signer.ts'

/** A webhook as it came. */
export interface Delivery {
  readonly headers: Headers
  /** The text that was signed, to the byte. */
  readonly body: string
}

/** How the webhooks of one kind of sender are signed. */
export interface Scheme {
  /** @throws TypeError where a secret cannot be one */
  readKey(secret: string): Uint8Array
  /**
   * Whether the headers have the form and the time of a signature, which is asked before the body
   * is read.
   */
  isSigned(headers: Headers, isTimely: (seconds: string) => boolean): boolean
  /**
   * The id of a webhook that is signed by one of the keys; empty where the sender gives none;
   * undefined where it is not signed. `isTimely` is asked about the time that was signed, in
   * seconds since 1970, where one was.
   */
  verify(
    keys: readonly Uint8Array[],
    delivery: Delivery,
    isTimely: (seconds: string) => boolean,
  ): Promise<string | undefined>
  /** What a sender must be answered that first asks whether somebody is there. */
  greet?(payload: unknown): object | undefined
}

/**
 * [Standard Webhooks](https://www.standardwebhooks.com) 1: id, timestamp and body. The headers are
 * of that name, or those of the same meaning that Svix sends. One that came twice was joined by a
 * comma, which stands in none of them at that place.
 */
const standard: Scheme = {
  readKey,
  isSigned(headers, isTimely) {
    const { id, timestamp, signatures } = readStandard(headers)
    const form = /^v\d+[a-z]*,[A-Za-z0-9+/=_-]+( v\d+[a-z]*,[A-Za-z0-9+/=_-]+)*$/
    return isId(id) && form.test(signatures) && isTimely(timestamp)
  },
  async verify(keys, { headers, body }, isTimely) {
    const { id, timestamp, signatures } = readStandard(headers)
    if (!standard.isSigned(headers, isTimely)) return undefined
    const at = new Date(Number(timestamp) * 1000)
    const expected = keys.map((key) => new Signer(key).sign(id, at, body))
    return (await isAny(signatures.split(' '), expected)) ? id : undefined
  },
}

function readStandard(headers: Headers) {
  const prefix = headers.has('webhook-id') || headers.has('webhook-signature') ? 'webhook' : 'svix'
  const [id = '', timestamp = '', signatures = ''] = ['id', 'timestamp', 'signature'].map(
    (name) => headers.get(`${prefix}-${name}`) ?? '',
  )
  return { id, timestamp, signatures }
}

/**
 * https://docs.stripe.com/webhooks#verify-manually: `t=…,v1=…`, hexadecimal, over the time and the
 * body.
 */
const stripe: Scheme = {
  readKey: readTextKey,
  isSigned: (headers) => headers.has('stripe-signature'),
  async verify(keys, { headers, body }, isTimely) {
    const signature = headers.get('stripe-signature') ?? ''
    const [, time = ''] = /^t=(\d{1,12})(?:,v\d+=[\da-f]+)+$/.exec(signature) ?? []
    if (!isTimely(time)) return undefined
    const given = signature.split(',').flatMap((part) => (part.startsWith('v1=') ? [part.slice(3)] : []))
    const expected = keys.map(async (key) => toHex(await hmac(key, `${time}.${body}`)))
    return (await isAny(given, expected)) ? textAt(readJson(body), 'id') : undefined
  },
}

/**
 * https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries: `sha256=…`,
 * hexadecimal, over the body.
 */
const github: Scheme = {
  readKey: readTextKey,
  isSigned: (headers) => headers.has('x-hub-signature-256'),
  async verify(keys, { headers, body }) {
    const expected = keys.map(async (key) => `sha256=${toHex(await hmac(key, body))}`)
    const signed = await isAny([headers.get('x-hub-signature-256') ?? ''], expected)
    const id = headers.get('x-github-delivery') ?? ''
    return signed && isId(id) ? id : undefined
  },
}

/**
 * https://shopify.dev/docs/apps/build/webhooks/subscribe/https: base64, over the body. Its id is
 * that of the delivery, which is the same when it is tried again: one event of a shop may be told
 * under several topics.
 */
const shopify: Scheme = {
  readKey: readTextKey,
  isSigned: (headers) => headers.has('x-shopify-hmac-sha256') || headers.has('shopify-hmac-sha256'),
  async verify(keys, { headers, body }) {
    const read = (name: string) => headers.get(`x-shopify-${name}`) ?? headers.get(`shopify-${name}`) ?? ''
    const expected = keys.map(async (key) => toBase64(await hmac(key, body)))
    const id = read('webhook-id') || (read('event-id') && `${read('event-id')}:${read('topic')}`)
    return (await isAny([read('hmac-sha256')], expected)) && isId(id) ? id : undefined
  },
}

/**
 * https://docs.slack.dev/authentication/verifying-requests-from-slack: `v0=…`, hexadecimal, over
 * the time and the body.
 */
const slack: Scheme = {
  readKey: readTextKey,
  isSigned: (headers, isTimely) =>
    headers.has('x-slack-signature') && isTimely(headers.get('x-slack-request-timestamp') ?? ''),
  async verify(keys, { headers, body }, isTimely) {
    const time = headers.get('x-slack-request-timestamp') ?? ''
    if (!isTimely(time)) return undefined
    const expected = keys.map(async (key) => `v0=${toHex(await hmac(key, `v0:${time}:${body}`))}`)
    const signed = await isAny([headers.get('x-slack-signature') ?? ''], expected)
    return signed ? textAt(readJson(body), 'event_id') : undefined
  },
  greet: (payload) =>
    textAt(payload, 'type') === 'url_verification' ? { challenge: textAt(payload, 'challenge') } : undefined,
}

/**
 * The secret itself in `Authorization`, with `Bearer` before it or without, as RevenueCat and
 * others send it.
 */
const bearer: Scheme = {
  readKey: readTextKey,
  isSigned: (headers) => headers.has('authorization'),
  async verify(keys, { headers, body }) {
    const given = (headers.get('authorization') ?? '').replace(/^Bearer +/i, '')
    const expected = keys.map((key) => new TextDecoder().decode(key))
    if (!(await isAny([given], expected))) return undefined
    const id = headers.get('webhook-id') ?? headers.get('idempotency-key')
    if (id !== null) return id
    const payload = readJson(body)
    const event = isObject(payload) ? payload.event : undefined
    // The event of RevenueCat. An `id` elsewhere may be that of a row, which changes more than
    // once.
    return textAt(payload, 'event_id') || (textAt(event, 'type') && textAt(event, 'id'))
  },
}

export const schemes = { standard, stripe, github, shopify, slack, bearer } satisfies Record<string, Scheme>
export type SchemeName = keyof typeof schemes

/** What the inbox takes for an id: ASCII that is neither a space nor a comma. */
export const isId = (id: string): boolean => /^[!-+\--~]{1,256}$/.test(id)

/** Stands for the id of a webhook that has none: the same body twice takes effect once. */
export const idOfBody = async (body: string): Promise<string> => `body_${toHex(await digest(body))}`

const digest = async (text: string) =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))

/**
 * Whether one of the given texts is expected. All are compared, and each in a time that tells
 * nothing of where they part.
 */
async function isAny(given: readonly string[], expected: readonly (string | Promise<string>)[]): Promise<boolean> {
  const wanted = await Promise.all(expected.map(async (text) => digest(await text)))
  const digests = await Promise.all(given.map(digest))
  return digests.flatMap((one) => wanted.map((other) => isSame(one, other))).includes(true)
}

/** Of digests, which are of one length. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  let differs = 0
  for (const [place, byte] of one.entries()) differs |= byte ^ (other[place] ?? 0)
  return differs === 0
}

/** The text of a member; empty where there is none. */
function textAt(value: unknown, name: string): string {
  const member = isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
  return typeof member === 'string' ? member : ''
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
