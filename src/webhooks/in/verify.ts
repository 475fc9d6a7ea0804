import { Problem } from '../../model/errors.ts'
import { limits } from '../../model/limits.ts'
import type { Schema } from '../../model/table.ts'
import { logError } from '../../observe/log.ts'
import { type Delivery, idOfBody, isId, type Scheme, schemes } from './schemes.ts'
import type { WebhookSources } from './sources.ts'

/** The secrets of a source, as its sender shows them. Several while one is replaced by another. */
export type WebhookSecrets = Readonly<Record<string, readonly string[]>>

/** A webhook whose sender is known. */
export interface Verified {
  /** Takes effect once. */
  readonly id: string
  /** What its sender is to be answered instead of a verdict. */
  greet(payload: unknown): object | undefined
}

/**
 * What the headers alone say: there is such a source, and they have the form and the time of a
 * signature. Asked before the body is read, which anybody could send. The fault is the same 401.
 */
export type AdmitWebhook = (source: string, headers: Headers) => void

export function createAdmitWebhook<S extends Schema>(
  secrets: WebhookSecrets,
  sources: WebhookSources<S> = {},
  { ageMsMax = limits.webhookAgeMsMax }: VerifyOptions = {},
): AdmitWebhook {
  return (source, headers) => {
    const own = Object.hasOwn(sources, source) && typeof sources[source]?.verify === 'function'
    if (own) return
    const isKnown = Object.hasOwn(secrets, source)
    if (!isKnown || !schemeOf(source, sources).isSigned(headers, isTimelyWithin(ageMsMax))) throw unverified(ageMsMax)
  }
}

function isTimelyWithin(ageMsMax: number): (seconds: string) => boolean {
  return (seconds) =>
    /^\d{1,12}$/.test(seconds) && Math.abs(Math.floor(Date.now() / 1000) - Number(seconds)) * 1000 <= ageMsMax
}

/**
 * Says who sent a webhook: by the scheme of its source, Standard Webhooks unless `verify` of the
 * source says otherwise. Every fault is the same 401, whether or not there is such a source.
 */
export type VerifyWebhook = (source: string, headers: Headers, body: string) => Promise<Verified>

/**
 * How far the time that was signed may lie from now: what is older could be a copy that somebody
 * sends again.
 */
export interface VerifyOptions {
  readonly ageMsMax?: number
}

/**
 * @throws TypeError where a secret cannot be one, or a source is to be verified in a way that is
 * not known
 */
export function createVerifyWebhook<S extends Schema>(
  secrets: WebhookSecrets,
  sources: WebhookSources<S> = {},
  { ageMsMax = limits.webhookAgeMsMax }: VerifyOptions = {},
): VerifyWebhook {
  const isTimely = isTimelyWithin(ageMsMax)
  const verifiers = new Map(
    Object.entries(sources).flatMap(([source, { verify }]) =>
      typeof verify === 'function'
        ? [
            [
              source,
              { verify: (delivery: Delivery) => verify({ ...delivery, secrets: secrets[source] ?? [] }) },
            ] as const,
          ]
        : [],
    ),
  )
  const keys = new Map(
    Object.entries(secrets).map(([source, some]) => {
      const scheme = schemeOf(source, sources)
      // What is verified by a function has secrets of any form.
      return [source, { scheme, keys: verifiers.has(source) ? [] : some.map(scheme.readKey) }]
    }),
  )
  for (const source of Object.keys(sources)) schemeOf(source, sources)
  // An unknown source costs as much as a wrong signature.
  const nobody = { scheme: schemes.standard, keys: [crypto.getRandomValues(new Uint8Array(32))] }

  return async (source, headers, body) => {
    const own = verifiers.get(source)
    const { scheme, keys: some } = keys.get(source) ?? nobody
    const id = own
      ? await callOwn(source, () => own.verify({ headers, body }))
      : await scheme.verify(some, { headers, body }, isTimely)
    if (id === undefined || (!own && !keys.has(source))) throw unverified(ageMsMax)
    const greet = (payload: unknown) => (own ? undefined : scheme.greet?.(payload))
    return { id: isId(id) ? id : await idOfBody(id || body), greet }
  }
}

function schemeOf<S extends Schema>(source: string, sources: WebhookSources<S>): Scheme {
  const name = (Object.hasOwn(sources, source) ? sources[source]?.verify : undefined) ?? 'standard'
  if (typeof name === 'function') return schemes.standard
  if (Object.hasOwn(schemes, name)) return schemes[name]
  throw new TypeError(
    `verify of the source ${source} must be a function or one of ${Object.keys(schemes).join(', ')}: see src/app/sources.ts`,
  )
}

/** A function of the user's own that fails has verified nothing. */
async function callOwn(source: string, verify: () => unknown): Promise<string | undefined> {
  try {
    const id = await verify()
    return typeof id === 'string' ? id : undefined
  } catch (error) {
    logError(`webhook ${source}`, error)
    return undefined
  }
}

function unverified(ageMsMax: number): Problem {
  const minutes = ageMsMax === limits.webhookAgeMsMax ? 'five minutes' : `${ageMsMax / 1000} seconds`
  return new Problem(
    'unauthorized',
    `The source is unknown, the signature is wrong, or the timestamp is more than ${minutes} off.`,
    { headers: { 'WWW-Authenticate': 'Signature realm="driftline"' } },
  )
}
