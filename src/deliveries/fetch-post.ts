import { limits } from '../limits.ts'
import type { Post } from './post.ts'

/**
 * By the runtime's `fetch`, for workers: from Cloudflare's network, which reaches no private address. Hosts that are
 * private by their spelling were refused with the setting.
 */
export function fetchPost(msMax: number = limits.deliveryMsMax): Post {
  return async (url, headers, body) => {
    const signal = AbortSignal.timeout(msMax)
    const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
    await answer.body?.cancel().catch(() => {})
    return { status: answer.status, retryAfter: answer.headers.get('retry-after') }
  }
}
