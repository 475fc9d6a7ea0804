import { WebhookVerificationError } from 'standardwebhooks'
import { Problem } from '../errors.ts'
import { createSigner, randomSigner, type Signer } from './signer.ts'

/** The secrets of a source, `whsec_` and base64. Several while one is replaced by another. */
export type WebhookSecrets = Readonly<Record<string, readonly string[]>>

/**
 * Verifies a webhook by the Standard Webhooks specification 1: an HMAC over id, timestamp and the body as it came, not
 * more than five minutes old or early. Gives its id. Every fault is the same 401, whether or not there is such a source.
 */
export type VerifyWebhook = (source: string, headers: Headers, body: string) => string

/** @throws TypeError where a secret cannot be one */
export function createVerifyWebhook(secrets: WebhookSecrets): VerifyWebhook {
  const keys = new Map(Object.entries(secrets).map(([source, some]) => [source, some.map(createSigner)]))
  // An unknown source costs as much as a wrong signature.
  const nobody = [randomSigner()]
  return (source, headers, body) => {
    const signed = readHeaders(headers)
    const some = keys.get(source)
    if (!signed || !(some ?? nobody).map((key) => isSigned(key, signed, body)).includes(true) || !some)
      throw unverified()
    return signed['webhook-id']
  }
}

/**
 * What the headers alone say: there is such a source, and they have the form and the time of a signature. Asked before
 * the body is read, which anybody could send. The fault is the same 401.
 */
export type AdmitWebhook = (source: string, headers: Headers) => void

export function createAdmitWebhook(secrets: WebhookSecrets): AdmitWebhook {
  const sources = new Set(Object.keys(secrets))
  return (source, headers) => {
    const signed = readHeaders(headers)
    if (!sources.has(source) || !signed || !isTimely(signed)) throw unverified()
  }
}

/** The tolerance of the specification, in seconds. The library holds it too, once the body is there. */
const secondsOffMax = 5 * 60

function isTimely(headers: SignedHeaders): boolean {
  return Math.abs(Math.floor(Date.now() / 1000) - Number(headers['webhook-timestamp'])) <= secondsOffMax
}

type SignedHeaders = Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>

/**
 * The three headers, or those of the same meaning that Svix sends. One that came twice was joined by a comma, which
 * stands in none of them at that place, and the library would read what it can of it.
 */
function readHeaders(headers: Headers): SignedHeaders | undefined {
  const prefix = headers.has('webhook-id') || headers.has('webhook-signature') ? 'webhook' : 'svix'
  const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map(
    (name) => headers.get(`${prefix}-${name}`) ?? '',
  )
  if (!id || !/^[!-+\--~]{1,256}$/.test(id)) return undefined
  if (!timestamp || !/^\d{1,12}$/.test(timestamp)) return undefined
  if (!signature || !/^v\d+[a-z]*,[A-Za-z0-9+/=_-]+( v\d+[a-z]*,[A-Za-z0-9+/=_-]+)*$/.test(signature)) return undefined
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }
}

function isSigned(key: Signer, headers: SignedHeaders, body: string): boolean {
  try {
    key.verify(body, headers, { jsonParse: false })
    return true
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false
    throw error
  }
}

function unverified(): Problem {
  return new Problem(
    'unauthorized',
    'The source is unknown, the signature is wrong, or the timestamp is more than five minutes off.',
    { headers: { 'WWW-Authenticate': 'Signature realm="driftline"' } },
  )
}
