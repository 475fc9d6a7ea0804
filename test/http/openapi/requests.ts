import { formatCursor } from '../../../src/model/cursor.ts'
import { limits } from '../../../src/model/limits.ts'
import type { ServerProcess } from '../../support/server.ts'

const now = () => Date.now() * 1000
export const put = (id: string, row: object = { title: id }, at = now()) => ({ table: 'todos', op: 'put', id, at, row })
const lines = { headers: { Accept: 'application/x-ndjson' } }

const imported = (list: readonly unknown[], more: Record<string, string> = {}) => ({
  body: list.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n'),
  headers: { 'Content-Type': 'application/x-ndjson', ...more },
})

export type Request = [name: string, method: string, path: string, options?: Parameters<ServerProcess['request']>[2]]

const stampAhead = now() + 3_600_000_000
const restored = formatCursor(new Map([['alice', { incarnation: 'another', position: 1, start: 0 }]]))
const foreign = formatCursor(new Map([['removed', { incarnation: 'x', position: 1, start: 0 }]]))
/**
 * Good, odd and hostile ones, in an order that matters: each verdict, rejection and problem but the
 * server's own.
 */
export const requests: readonly Request[] = [
  ['a push', 'POST', '/v1/push', { body: { client: 'a', changes: [put('1'), put('1', { title: 'x' }, now() - 9e6)] } }],
  ['a push of another', 'POST', '/v1/push', { body: { client: 'b', changes: [put('2')], return: 'lost' } }],
  [
    'a replay',
    'POST',
    '/v1/push',
    { body: { client: 'a', changes: [put('3', { title: '' }, 1.7e15), put('3', { title: '' }, 1.7e15)] } },
  ],
  ['a stale change', 'POST', '/v1/push', { body: { client: 'a', changes: [put('1', { title: 'late' }, 1.6e15)] } }],
  [
    'every op',
    'POST',
    '/v1/sync',
    {
      body: {
        client: 'a',
        cursor: null,
        limit: 2,
        atomic: false,
        changes: [
          { ...put('1'), op: 'patch', row: { done: true, amount: 0.5 } },
          { table: 'todos', op: 'delete', id: '2', at: now() },
          { table: 'lists', op: 'put', id: 'l', at: now(), row: { name: 'Home' }, scope: 'alice' },
        ],
      },
    },
  ],
  ['no changes', 'POST', '/v1/sync', { body: { client: 'a' } }],
  ['an atomic push', 'POST', '/v1/push', { body: { client: 'a', atomic: true, changes: [put('4')] } }],
  ['a removed scope', 'POST', '/v1/sync', { body: { client: 'a', cursor: foreign } }],
  [
    'every rejection',
    'POST',
    '/v1/sync',
    {
      body: {
        client: 'a',
        changes: [
          5,
          { ...put('x'), more: 1 },
          { ...put('x'), table: 'x' },
          { ...put('x'), op: 'x' },
          put('x', { title: 'x', x: 1 }),
          put('x', {}),
          put(''),
          put('x', { title: 1 }),
          put('x', { title: 'x' }, 5),
          put('x', { title: 'x' }, stampAhead),
          put('x', { title: 'x' }, 1_700_000_000_000),
          { ...put('x'), scope: 'foreign' },
          { ...put('none'), op: 'patch', row: { done: true } },
          { ...put('none'), if: { at: now(), by: 'b' } },
          { ...put('3'), if: { at: 1, by: 'b' } },
          { table: 'lists', op: 'put', id: 'l2', at: now(), row: { name: 'Home' } },
          put('large', { title: 'x'.repeat(limits.changeBytesMax) }),
        ],
      },
    },
  ],
  ['who it is', 'GET', '/v1/me'],
  ['who it is, with a parameter', 'GET', '/v1/me?sub=bob'],
  ['a page that is counted', 'GET', '/v1/pull?count=true'],
  ['a page that is counted by POST', 'POST', '/v1/pull', { body: { count: true } }],
  ['a pull', 'GET', '/v1/pull'],
  ['a page', 'GET', '/v1/pull?limit=1'],
  ['a pull of no cursor', 'GET', '/v1/pull?cursor=null'],
  ['a pull by POST', 'POST', '/v1/pull', { body: {} }],
  ['a page by POST', 'POST', '/v1/pull', { body: { cursor: null, limit: 1 } }],
  ['a pull by POST with a removed scope', 'POST', '/v1/pull', { body: { cursor: foreign } }],
  ['a stream by POST', 'POST', '/v1/pull', { ...lines, body: { limit: 2 } }],
  ['a pull by POST with a member too many', 'POST', '/v1/pull', { body: { client: 'a' } }],
  ['a pull by POST with a parameter', 'POST', '/v1/pull?limit=1', { body: {} }],
  ['a pull by POST with a cursor that cannot be read', 'POST', '/v1/pull', { body: { cursor: '' } }],
  ['a pull by POST with a cursor of another form', 'POST', '/v1/pull', { body: { cursor: 5 } }],
  ['a pull by POST of another history', 'POST', '/v1/pull', { body: { cursor: restored } }],
  ['a pull by POST of another type', 'POST', '/v1/pull', { body: '{}', headers: { 'Content-Type': 'text/plain' } }],
  ['a pull with a removed scope', 'GET', `/v1/pull?cursor=${foreign}`],
  ['an import', 'POST', '/v1/import?table=todos', imported(['{"id":1}', put('i1'), put('i1'), { op: 'delete' }])],
  [
    'an import of rows',
    'POST',
    '/v1/import?table=lists&at=1700000000000000&client=crm',
    imported([{ id: 'r', name: 'R' }]),
  ],
  ['an empty import', 'POST', '/v1/import', imported([])],
  ['an import of an unknown table', 'POST', '/v1/import?table=nope', imported([])],
  ['an import by an unknown source', 'POST', '/v1/import?source=nope', imported([])],
  ['an import of JSON', 'POST', '/v1/import', { body: '{}' }],
  ['an import that is no gzip', 'POST', '/v1/import', { ...imported([put('x')], { 'Content-Encoding': 'gzip' }) }],
  ['an import without a token', 'POST', '/v1/import', imported([], { Authorization: '' })],
  ['a stream', 'GET', '/v1/pull?limit=2', lines],
  ['an empty stream', 'GET', '/v1/pull', { ...lines, sub: 'nobody' }],
  ['a stream with a removed scope', 'GET', `/v1/pull?cursor=${foreign}`, lines],
  ['a stream as it is', 'GET', '/v1/pull', { headers: { ...lines.headers, 'Accept-Encoding': 'identity' } }],
  ['HEAD', 'HEAD', '/v1/pull'],
  ['HEAD of a stream', 'HEAD', '/v1/pull', lines],
  ['health', 'GET', '/health', { headers: { Authorization: '' } }],
  ['the document', 'GET', '/openapi.json', { headers: { Authorization: '' } }],
  ['the manual', 'GET', '/docs', { headers: { Authorization: '' } }],
  ['HEAD of the manual', 'HEAD', '/docs'],
  ['HEAD of the document', 'HEAD', '/openapi.json'],
  ['another path', 'GET', '/v1'],
  ['another method', 'DELETE', '/v1/sync'],
  ['another method of the document', 'POST', '/docs', { body: {} }],
  ['another method of a page', 'POST', '/docs/start', { body: {} }],
  ['another method of the reference', 'DELETE', '/reference'],
  ['OPTIONS', 'OPTIONS', '/v1/pull'],
  ['a body that is no object', 'POST', '/v1/sync', { body: [] }],
  ['null', 'POST', '/v1/push', { body: null }],
  ['no JSON', 'POST', '/v1/push', { body: '{' }],
  ['no client', 'POST', '/v1/push', { body: {} }],
  ['a member too many', 'POST', '/v1/push', { body: { client: 'a', limit: 1 } }],
  ['a client with a space', 'POST', '/v1/sync', { body: { client: 'a b' } }],
  ['a limit too large', 'POST', '/v1/sync', { body: { client: 'a', limit: limits.pageRowsMax + 1 } }],
  ['changes of another form', 'POST', '/v1/sync', { body: { client: 'a', changes: {} } }],
  ['a cursor that cannot be read', 'POST', '/v1/sync', { body: { client: 'a', cursor: 'x' } }],
  ['a cursor of a pull that cannot be read', 'GET', '/v1/pull?cursor=x', lines],
  ['another parameter', 'GET', '/v1/pull?x=1'],
  ['another history', 'POST', '/v1/sync', { body: { client: 'a', cursor: restored } }],
  ['another history in a push', 'POST', '/v1/push', { body: { client: 'a', cursor: restored, changes: [put('5')] } }],
  ['another history in a pull', 'GET', `/v1/pull?cursor=${restored}`, lines],
  ['no token', 'POST', '/v1/sync', { body: { client: 'a' }, headers: { Authorization: '' } }],
  ['a bad token', 'GET', '/v1/pull', { headers: { Authorization: 'Bearer x' } }],
  ['another type', 'POST', '/v1/sync', { body: '{}', headers: { 'Content-Type': 'text/plain' } }],
  ['another encoding', 'POST', '/v1/push', { body: '{}', headers: { 'Content-Encoding': 'br' } }],
  ['a large body', 'POST', '/v1/push', { body: ' '.repeat(limits.bodyBytesMax + 1) }],
  ['many changes', 'POST', '/v1/push', { body: `{"client":"a","changes":[${'1,'.repeat(limits.changesMax)}1]}` }],
  ['an atomic push with a bad change', 'POST', '/v1/push', { body: { client: 'a', atomic: true, changes: [put('')] } }],
  [
    'an atomic push of two scopes',
    'POST',
    '/v1/push',
    { scopes: ['team'], body: { client: 'a', atomic: true, changes: [put('6'), { ...put('6'), scope: 'team' }] } },
  ],
]
