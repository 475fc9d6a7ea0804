import { limits } from '../../model/limits.ts'
import type { Post } from './post.ts'

/**
 * By the runtime's `fetch`, for workers: from Cloudflare's network, which reaches no private
 * address. Hosts that are private by their spelling were refused with the setting.
 */
export function fetchPost(msMax: number = limits.deliveryMsMax): Post {
  return async (url, headers, body) => {
    const giveUp = new AbortController()
    // A timer that is cleared: one that is left would keep a Durable Object from sleeping.
    const timer = setTimeout(() => giveUp.abort(), msMax)
    try {
      const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: giveUp.signal })
      await answer.body?.cancel().catch(() => {})
      return { status: answer.status, retryAfter: answer.headers.get('retry-after') }
    } finally {
      clearTimeout(timer)
    }
  }
}
