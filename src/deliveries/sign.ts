const encoder = new TextEncoder()

/**
 * The headers of Standard Webhooks. Not by the package `standardwebhooks`, which holds every receiver in the tests to
 * these: it brings a SHA-256 of its own, and the worker has one. `at` is in seconds.
 */
export async function signedHeaders(secret: string, id: string, at: number, body: string) {
  const bytes = Uint8Array.from(atob(secret.slice('whsec_'.length)), (letter) => letter.charCodeAt(0))
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const mac = await crypto.subtle.sign('HMAC', key, encoder.encode(`${id}.${at}.${body}`))
  return {
    'content-type': 'application/json',
    'user-agent': 'driftline',
    'webhook-id': id,
    'webhook-timestamp': String(at),
    'webhook-signature': `v1,${btoa(String.fromCharCode(...new Uint8Array(mac)))}`,
  }
}
