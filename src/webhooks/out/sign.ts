import type { Signer } from '../signer.ts'

/** The headers of Standard Webhooks for a body that is sent at a time. */
export async function signedHeaders(
  signer: Signer,
  id: string,
  at: Date,
  body: string,
): Promise<Record<string, string>> {
  return {
    'content-type': 'application/json',
    'user-agent': 'driftline',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': await signer.sign(id, at, body),
  }
}
