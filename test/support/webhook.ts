import { Webhook } from 'standardwebhooks'

export const webhookSecret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfbDVOI'
export const otherSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwDk1MtEvSTs0='

/** The three headers of the specification, beside the type. */
export function signedHeaders(
  body: string,
  id: string = `msg_${crypto.randomUUID()}`,
  { secret = webhookSecret, at = new Date() } = {},
): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  }
}

/** Whatever answers a request: an app, or a server. */
export type Post = (path: string, init: RequestInit) => Response | Promise<Response>

/** Sends a payload as the source would, and gives status and body. */
export async function sendWebhook(
  post: Post,
  payload: unknown,
  { id, source = 'crm', secret = webhookSecret }: { id?: string; source?: string; secret?: string } = {},
) {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const answer = await post(`/v1/webhooks/${source}`, {
    method: 'POST',
    headers: signedHeaders(body, id, { secret }),
    body,
  })
  // biome-ignore lint/suspicious/noExplicitAny: what came is what the test looks at
  return { status: answer.status, headers: answer.headers, body: JSON.parse(await answer.text()) as any }
}
