import { parseCursor } from '../../src/model/cursor.ts'
import type { Answer } from './server.ts'

/**
 * An answer without what is another in every run: the clock, ids of requests, and the incarnations
 * in cursors.
 */
export function plain({ status, headers, text }: Answer): string {
  const names = ['content-type', 'www-authenticate', 'allow', 'cache-control', 'vary', 'accept-encoding']
  names.push(...['origin', 'methods', 'headers'].map((name) => `access-control-allow-${name}`))
  // What is no stream Cloudflare's edge compresses by itself, and so does the one of these tests.
  if (headers.get('content-type')?.startsWith('application/x-ndjson')) names.push('content-encoding')
  const kept = names.map((name) => headers.get(name))
  const body = text
    .replaceAll(/"now":\d+/g, '"now":0')
    .replaceAll(/"at":179\d{13}/g, '"at":0')
    .replaceAll(/"request_id":"[^"]*"/g, '"request_id":""')
    .replaceAll(/"cursor":"([^"]*)"/g, (_, cursor: string) => {
      const entries = [...parseCursor(cursor)].map(([scope, { incarnation, ...rest }]) => [
        scope,
        incarnation !== null,
        rest,
      ])
      return `"cursor":${JSON.stringify(entries)}`
    })
  return `${status} ${kept.join(' | ')}\n${body}`
}
