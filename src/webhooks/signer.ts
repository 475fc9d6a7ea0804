/** Signs as Standard Webhooks say. */
export class Signer {
  readonly #key: Uint8Array

  constructor(key: Uint8Array) {
    this.#key = key
  }

  async sign(id: string, timestamp: Date, payload: string): Promise<string> {
    const seconds = Math.floor(timestamp.getTime() / 1000)
    return `v1,${toBase64(await hmac(this.#key, `${id}.${seconds}.${payload}`))}`
  }
}

/**
 * HMAC of SHA-256 by the platform, which every runtime has: in JavaScript it takes ten times as
 * long. The key is imported anew for each: a promise of it would be shared by the requests of a
 * worker, one of which may end first.
 */
export async function hmac(key: Uint8Array, text: string): Promise<Uint8Array> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const imported = await crypto.subtle.importKey('raw', new Uint8Array(key), algorithm, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, new TextEncoder().encode(text)))
}

export const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes))

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/**
 * @throws TypeError where a secret cannot be one: it says how to make one, and shows nothing of
 * this one
 */
export function createSigner(secret: string): Signer {
  return new Signer(readKey(secret))
}

/** What the specification asks for: a short one could be guessed. */
const secretBytes = { min: 24, max: 64 }
/** Those of others are as their senders make them. */
const textBytes = { min: 8, max: 1_024 }

/**
 * The key of a secret of Standard Webhooks, as its sender shows it: `whsec_` and base64, with the
 * version before it where Supabase writes one; `polar_…`, which Polar uses as its bytes; and
 * `text:` before any other that is used so.
 */
export function readKey(secret: string): Uint8Array {
  if (/^(polar_|text:)/.test(secret)) return readTextKey(secret)
  const [, base64] = /^(?:v1,)?whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? []
  const key = base64 === undefined ? new Uint8Array() : decode(base64)
  if (key.length < secretBytes.min || key.length > secretBytes.max) {
    throw new TypeError(
      `A webhook secret must be whsec_ and the base64 of ${secretBytes.min} to ${secretBytes.max} bytes, for example from \`echo whsec_$(openssl rand -base64 32)\`, or text: and the secret where its sender uses it as its bytes`,
    )
  }
  return key
}

/**
 * The key of a secret that is used as its bytes. `text:` may stand before it, and must where it
 * begins so itself.
 */
export function readTextKey(secret: string): Uint8Array {
  const key = new TextEncoder().encode(secret.replace(/^text:/, ''))
  if (key.length < textBytes.min || key.length > textBytes.max || !secret.isWellFormed()) {
    throw new TypeError(
      `A webhook secret that is used as its bytes must have ${textBytes.min} to ${textBytes.max} of them, as its sender shows it`,
    )
  }
  return key
}

function decode(base64: string): Uint8Array {
  const whole = base64.replace(/=+$/, '')
  // Neither a rest of one letter nor other padding than its own is base64.
  if (whole.length % 4 === 1 || (whole !== base64 && base64.length % 4 !== 0)) return new Uint8Array()
  return Uint8Array.from(atob(whole), (letter) => letter.charCodeAt(0))
}
