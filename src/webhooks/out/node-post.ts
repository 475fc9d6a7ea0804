import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { limits } from '../../model/limits.ts'
import type { Post } from './post.ts'
import { isPublicAddress, privateAddress, publicLookup, type Resolve } from './public-lookup.ts'

export interface NodePostOptions {
  /**
   * Private and link-local addresses too, which an attacker behind an endpoint's name could reach
   * through this.
   */
  readonly allowPrivate?: boolean
  readonly msMax?: number
  readonly resolve?: Resolve
}

/** Bytes of an answer's body that are let through before the connection is cut. */
const bodyBytesMax = 4_096

/**
 * For Node. No proxy of the environment is asked, no redirect is followed, and no connection stays
 * open.
 */
export function nodePost({ allowPrivate = false, msMax = limits.deliveryMsMax, resolve }: NodePostOptions = {}): Post {
  const lookup = publicLookup(resolve)
  return (url, headers, body) =>
    new Promise((done, reject) => {
      const { hostname, protocol } = new URL(url)
      const host = hostname.replace(/^\[|\]$/g, '')
      // An address is never looked up. All others are, and there they are checked.
      if (!allowPrivate && /^[\d.]+$|:/.test(host) && !isPublicAddress(host)) return reject(privateAddress())
      const send = protocol === 'https:' ? requestHttps : requestHttp
      const call = send(url, {
        method: 'POST',
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        agent: false,
        signal: AbortSignal.timeout(msMax),
        ...(!allowPrivate && { lookup }),
      })
      call.on('error', reject)
      call.on('response', (answer) => {
        done({ status: answer.statusCode ?? 0, retryAfter: answer.headers['retry-after'] })
        // Whoever is still writing gets to the end of a short answer. What becomes of it changes
        // nothing.
        let bytes = 0
        answer.on('error', () => {})
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > bodyBytesMax) answer.destroy()
        })
      })
      call.end(body)
    })
}
