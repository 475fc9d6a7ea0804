import { formatCursor } from '../../../src/model/cursor.ts'
import { otherSecret, signedHeaders } from '../../support/webhook.ts'

/** What `request` of test/support/server.ts takes. */
export type Hostile = readonly [method: string, path: string, options?: object]

const at = 1_700_000_000_000_000
export const put = (id: string, row: object, more: object = {}) => ({ table: 'todos', op: 'put', id, at, row, ...more })

/**
 * The entries that take changes: each makes one request of a change set, or of a text in its place.
 */
export const entries = ['sync', 'push', 'webhook', 'import'] as const
export type Entry = (typeof entries)[number]

export const sync = (sub: string, body: unknown): Hostile => ['POST', '/v1/sync', { sub, body }]
const push = (sub: string, body: unknown): Hostile => ['POST', '/v1/push', { sub, body }]
const pull = (query: string, headers = {}): Hostile => ['GET', `/v1/pull${query}`, { sub: 'members', headers }]

export function webhook(id: string, body: unknown, source = 'crm'): Hostile {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return ['POST', `/v1/webhooks/${source}`, { body: text, headers: signedHeaders(text, id) }]
}

/** A body as it is, to one of the entries. A webhook needs an id of its own. */
export function bodyTo(entry: Entry, sub: string, id: string, body: unknown): Hostile {
  if (entry === 'webhook') return webhook(id, body)
  if (entry === 'import') return imported(sub, body)
  return entry === 'sync' ? sync(sub, body) : push(sub, body)
}

/** The changes of a push as lines, or whatever else it is as it is. */
function imported(sub: string, body: unknown, query = '?client=a', headers = {}): Hostile {
  const { changes } = (parsed(body) ?? {}) as { changes?: unknown }
  const lines = Array.isArray(changes) ? changes.map((change) => JSON.stringify(change)).join('\n') : body
  return ['POST', `/v1/import${query}`, { sub, body: lines, headers: { ...ndjson, ...headers } }]
}

function parsed(body: unknown): unknown {
  try {
    return typeof body === 'string' ? JSON.parse(body) : body
  } catch {
    return undefined
  }
}

/** Changes into a scope, by one of the entries. */
export function changesTo(entry: Entry, scope: string, changes: readonly unknown[]): Hostile {
  if (entry === 'webhook') return webhook(`changes-${scope}`, { scope, changes })
  return bodyTo(entry, scope, '', { client: 'a', changes, ...(entry === 'sync' && { return: 'lost' }) })
}

/** The places of a change where a text can stand. Each is refused, or is an id. */
export const changePlaces: readonly ((text: string) => object)[] = [
  (text) => put(text, { title: 'x' }),
  (text) => put('x', { title: 'x' }, { table: text }),
  (text) => put('x', { title: 'x' }, { op: text }),
  (text) => put('x', { title: 'x' }, { scope: text }),
  (text) => put('x', { title: 'x' }, { at: text }),
  (text) => put('x', JSON.parse(`{"title":"x",${JSON.stringify(text)}:1}`)),
  (text) => JSON.parse(JSON.stringify(put('x', { title: 'x' })).replace('{', `{${JSON.stringify(text)}:1,`)),
]

const member = (text: string) => JSON.parse(`{"client":"a","changes":[],${JSON.stringify(text)}:1}`)
const ndjson = { 'Content-Type': 'application/x-ndjson' }
const unsigned = { 'Content-Type': 'application/json' }
const asEvents = { Accept: 'text/event-stream' }
const live = (query: string, headers = {}): Hostile => ['GET', `/v1/live${query}`, { sub: 'members', headers }]
/** One that can stand in a header; Node's fetch sends no others. */
const inHeader = (text: string) => text.replaceAll(/[^ -~\xa0-\xff]/g, '?').trim()

/**
 * Everything else of a request that a text can stand in. Each of these must be refused with a 4xx.
 */
export const requestPlaces: Readonly<Record<string, (text: string, id: string) => Hostile>> = {
  "a sync's client": (text) => sync('members', { client: `${text} `, cursor: null }),
  "a sync's cursor": (text) => sync('members', { client: 'a', cursor: `${text}=` }),
  "a sync's limit": (text) => sync('members', { client: 'a', cursor: null, limit: text }),
  "a sync's return": (text) => sync('members', { client: 'a', return: text }),
  "a sync's changes": (text) => sync('members', { client: 'a', changes: text }),
  "a sync's member": (text) => sync('members', member(text)),
  "a push's client": (text) => push('members', { client: `${text} ` }),
  "a push's cursor": (text) => push('members', { client: 'a', cursor: `${text}=` }),
  "a push's atomic": (text) => push('members', { client: 'a', atomic: text }),
  "a push's member": (text) => push('members', member(text)),
  "a push's type": (text) => ['POST', '/v1/push', { body: '{}', headers: { 'Content-Type': inHeader(text) } }],
  "a push's encoding": (text) => [
    'POST',
    '/v1/push',
    { body: '{}', headers: { 'Content-Encoding': `x${inHeader(text)}` } },
  ],
  "a pull's cursor": (text) => pull(`?cursor=${encodeURIComponent(text)}=`),
  "a pull's limit": (text) => pull(`?limit=${encodeURIComponent(text)}x`),
  "a pull's parameter": (text) => pull(`?${encodeURIComponent(`x${text}`)}=1`),
  "a pull's cursor twice": (text) => pull(`?cursor=${encodeURIComponent(text)}&cursor=${encodeURIComponent(text)}`),
  "a pull's token": (text) => pull('', { Authorization: `Bearer ${inHeader(text)}` }),
  "a pull's scheme": (text) => pull('', { Authorization: `${inHeader(text)}x` }),
  "an import's table": (text) => imported('members', '', `?table=${encodeURIComponent(text)}x`),
  "an import's client": (text) => imported('members', '', `?client=${encodeURIComponent(text)}%20`),
  "an import's stamp": (text) => imported('members', '', `?table=todos&at=${encodeURIComponent(text)}x`),
  "an import's parameter": (text) => imported('members', '', `?${encodeURIComponent(`x${text}`)}=1`),
  "an import's type": (text) => imported('members', '', '', { 'Content-Type': inHeader(text) }),
  "an import's encoding": (text) => imported('members', '', '', { 'Content-Encoding': `x${inHeader(text)}` }),
  'a path': (text) => ['GET', `/v1/${encodeURIComponent(text)}/x`, { sub: 'members' }],
  "a webhook's source": (text, id) => webhook(id, '{"changes":[]}', `${encodeURIComponent(text)}x`),
  "a webhook's source, unsigned": (text) => [
    'POST',
    `/v1/webhooks/${encodeURIComponent(text)}`,
    { body: '{"changes":[]}', headers: unsigned },
  ],
  "a webhook's scope": (text, id) => webhook(id, { scope: [text], changes: [] }),
  "a webhook's client": (text, id) => webhook(id, { client: `${text} `, changes: [] }),
  "a webhook's member": (text, id) => webhook(id, JSON.stringify(member(text)).replace('"client":"a",', '')),
  "a webhook's id that was not signed": (text, id) => signedBut('id', inHeader(text), id),
  "a webhook's timestamp": (text, id) => signedBut('timestamp', inHeader(text), id),
  "a webhook's signature": (text, id) => signedBut('signature', inHeader(text), id),
  "a webhook's signature by another": (text, id) => {
    const body = JSON.stringify({ scope: text, changes: [] })
    return ['POST', '/v1/webhooks/crm', { body, headers: signedHeaders(body, id, { secret: otherSecret }) }]
  },
  "a live connection's scope": (text) => live(`?scope=${encodeURIComponent(text)}`, asEvents),
  "a live connection's parameter": (text) => live(`?${encodeURIComponent(`x${text}`)}=1`, asEvents),
  "a live connection's origin": (text) => live('', { ...asEvents, Origin: `https://${inHeader(text)}.example` }),
  "a live connection's transport": (text) => live('?scope=nowhere', { Accept: inHeader(text) }),
  "a live connection's token": (text) =>
    live('?scope=nowhere', {
      ...asEvents,
      Authorization: '',
      'Sec-WebSocket-Protocol': `driftline, bearer.${inHeader(text).replaceAll(/[^!-~]|,/g, '')}`,
    }),
}

function signedBut(part: string, value: string, id: string): Hostile {
  const body = '{"changes":[]}'
  const headers = signedHeaders(body, id)
  return ['POST', '/v1/webhooks/crm', { body, headers: { ...headers, [`webhook-${part}`]: `${value}\u00bf` } }]
}

/** A cursor as the server writes it, with what it never wrote. */
export const forgedCursor = (scope: string, incarnation: string | null, position: number, start: number): string =>
  formatCursor(new Map([[scope, { incarnation, position, start }]]))
