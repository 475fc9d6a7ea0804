import { limits } from '../model/limits.ts'
import type { Schema } from '../model/table.ts'
import { importing } from './answers.ts'
import { exampleChange } from './changes.ts'
import { answer, failures, header, problemsOfAll, problemsOfChanges, problemsOfCursors } from './responses.ts'
import { type Json, ref } from './schema.ts'
import { pageRows } from './values.ts'

/** The headers of a webhook. Svix sends the same as svix-id, svix-timestamp and svix-signature. */
const signatures = [
  ['webhook-id', 'Of this webhook, the same when it is sent again.'],
  ['webhook-timestamp', 'Seconds since 1970, at most five minutes from now.'],
  [
    'webhook-signature',
    'v1, and the base64 of the HMAC-SHA256 over id, timestamp and body, without its encoding; several with spaces between.',
  ],
] as const

/** Of every body. Those that are compressed are bounded by what they inflate to. */
const contentEncoding: Json = {
  name: 'Content-Encoding',
  in: 'header',
  schema: { type: 'string', enum: ['gzip', 'deflate', 'identity'] },
  description: 'The body is compressed, by one of them.',
}

/** Of a document, where its server compresses it. */
const compressed: Json = { schema: { type: 'string', const: 'gzip' }, description: 'Where it is compressed.' }

/** Of a stream only. */
const streamHeaders: Json = {
  ETag: { schema: { type: 'string', pattern: '^W/"[0-9a-f]{16}"$' }, description: 'Of a stream.' },
  'Cache-Control': { schema: { type: 'string', const: 'private, no-cache' }, description: 'Of a stream.' },
  'Content-Encoding': { schema: { type: 'string', const: 'gzip' }, description: 'Of a stream that is compressed.' },
}

/** One route for each entry, by path and method. */
export function routes({ tables }: Schema): Json {
  const [first] = tables
  const example = { client: 'phone-7f3a', changes: first ? [exampleChange(first)] : [] }
  const written = (half: string, also: Json) => ({
    required: true,
    description: `JSON in UTF-8, at most ${limits.bodyBytesMax} bytes.`,
    content: { 'application/json': { schema: ref(`${half}.request`), example: { ...example, ...also } } },
  })
  const json = (name: string) => ({ 'application/json': { schema: ref(name) } })
  const pulled = answer(
    'A page, or the stream of all of them.',
    { ...json('pull.answer'), 'application/x-ndjson': { schema: ref('stream.line') } },
    { Vary: header('Vary'), ...streamHeaders },
  )
  return {
    '/v1/sync': {
      post: {
        operationId: 'sync',
        summary: 'Push changes and pull those of others, in one request',
        description: 'A bad change never fails the request: it is rejected alone, and the others are applied.',
        parameters: [contentEncoding],
        requestBody: written('sync', { cursor: null, limit: 500 }),
        responses: {
          200: answer(
            'A verdict for every change, and where a cursor came in the changes since it.',
            json('sync.answer'),
          ),
          ...failures([...problemsOfChanges, ...problemsOfCursors]),
        },
      },
    },
    '/v1/push': {
      post: {
        operationId: 'push',
        summary: 'Push changes',
        parameters: [contentEncoding],
        requestBody: written('push', { return: 'lost' }),
        responses: {
          200: answer('A verdict for every change.', json('push.answer')),
          ...failures([...problemsOfChanges, ...problemsOfCursors]),
        },
      },
    },
    '/v1/pull': {
      get: {
        operationId: 'pull',
        summary: 'Pull the changes since a cursor',
        description:
          'With Accept: application/x-ndjson all pages are streamed, a JSON text a line: how many rows are to come, the changes, and after each page a line with a cursor, from which a cut stream goes on. The stream has an ETag for If-None-Match, and is compressed for Accept-Encoding: gzip.',
        parameters: [
          {
            name: 'cursor',
            in: 'query',
            schema: { type: 'string' },
            description: 'As it was handed out. Absent, empty or null: from the beginning.',
          },
          { name: 'limit', in: 'query', schema: pageRows },
          {
            name: 'columns',
            in: 'query',
            schema: { type: 'string' },
            description:
              'What the app knows of the schema: its version, or as JSON the names of the columns of each table.',
          },
          {
            name: 'count',
            in: 'query',
            schema: { type: 'boolean', default: false },
            description: 'Whether a page tells how many rows are to come. A stream does in any case.',
          },
          {
            name: 'If-None-Match',
            in: 'header',
            schema: { type: 'string' },
            description: 'The ETag of a stream that was read to its end: 304 where there is nothing new.',
          },
        ],
        responses: {
          200: pulled,
          304: answer('The stream is the one that the client holds.', {}, { Vary: header('Vary'), ...streamHeaders }),
          ...failures([...problemsOfAll, ...problemsOfCursors, 'too_many_streams']),
        },
      },
      post: {
        operationId: 'pullByPost',
        summary: 'The same, for a cursor that is longer than a URL may be',
        description: 'Its stream has no ETag.',
        requestBody: {
          required: true,
          description: `JSON in UTF-8, at most ${limits.bodyBytesMax} bytes.`,
          content: { 'application/json': { schema: ref('pull.request'), example: { cursor: null, limit: 500 } } },
        },
        responses: {
          200: pulled,
          ...failures([
            ...problemsOfAll,
            ...problemsOfCursors,
            ...(['body_too_large', 'unsupported_media_type', 'too_many_streams'] as const),
          ]),
        },
      },
    },
    '/v1/me': {
      get: {
        operationId: 'me',
        summary: 'Who the token is of',
        description:
          'What it grants and until when, and what time it is on the server: of the token alone, no database is asked.',
        responses: {
          200: answer('What the token says.', json('me'), { 'Cache-Control': header('CacheControl') }),
          ...failures(['malformed', 'unauthorized', 'internal', 'keys_unavailable']),
        },
      },
    },
    '/v1/import': {
      post: {
        operationId: 'import',
        summary: 'Import changes or rows, a line each, however many',
        description:
          'The lines are applied in chunks while they come, and so is the answer given: read it while you send. A bad line is rejected alone. What was cut, or ends with a problem, is sent again, whole or from the last number of lines on: that is always safe.',
        parameters: [
          {
            name: 'table',
            in: 'query',
            schema: { type: 'string', ...(first && { enum: tables.map(({ name }) => name) }) },
            description: 'Of the lines that name none.',
          },
          {
            name: 'scope',
            in: 'query',
            schema: ref('scope'),
            description: "Of the lines that name none. Absent: the token's first.",
          },
          {
            name: 'client',
            in: 'query',
            schema: ref('client'),
            description: 'Who writes the lines without "by". Absent: import, or the source.',
          },
          {
            name: 'at',
            in: 'query',
            schema: ref('at'),
            description:
              'The lines are rows, an id and columns, and this is their stamp; the number of a counter is a set. With a source: the stamp of the changes that have none.',
          },
          {
            name: 'source',
            in: 'query',
            schema: ref('client'),
            description:
              'A source of webhooks whose mapping makes changes of each line, a payload as its webhooks bring it. What they may write is what the token and the source may.',
          },
          contentEncoding,
        ],
        requestBody: {
          required: true,
          description: `NDJSON in UTF-8: a change in each line, also in the form that it is pulled in, or a payload of the source, of ${limits.changeBytesMax} bytes at most.`,
          content: { 'application/x-ndjson': { schema: {} } },
        },
        responses: {
          200: answer('What was rejected, and how far it is.', {
            'application/x-ndjson': { schema: ref('import.line') },
          }),
          ...failures(importing),
        },
      },
    },
    '/v1/webhooks/{source}': {
      post: {
        operationId: 'webhook',
        summary: 'Push changes as a system of record, signed by the Standard Webhooks specification',
        description:
          'An id takes effect once: sent again it is answered as it was and changes nothing. A source with a mapping of its own sends payloads of its own form, and of those that the mapping does not take none is stored.',
        security: [],
        parameters: [
          { name: 'source', in: 'path', required: true, schema: ref('client'), description: 'Who sends.' },
          ...signatures.map(([name, description]) => ({
            name,
            in: 'header',
            required: true,
            schema: { type: 'string' },
            description,
          })),
          contentEncoding,
        ],
        requestBody: {
          required: true,
          description: `JSON in UTF-8, at most ${limits.bodyBytesMax} bytes: for a source without a mapping a change set.`,
          content: {
            'application/json': {
              schema: { anyOf: [ref('webhook.request'), {}] },
              example: { scope: 'alice', changes: first ? [exampleChange(first)] : [] },
            },
          },
        },
        responses: {
          200: answer('A verdict for every change.', json('webhook.answer')),
          // A signature by a secret of its own, no token.
          ...failures([...problemsOfChanges.filter((code) => code !== 'keys_unavailable'), 'mapping_failed']),
        },
      },
    },
    '/v1/live': {
      get: {
        operationId: 'live',
        summary: 'Be told of every commit, by a WebSocket or Server-Sent Events',
        description:
          'A poke is { "scope", "position" } and no row: whoever gets one pulls. A browser puts its token into the subprotocol bearer.<token> beside driftline.',
        parameters: [
          {
            name: 'scope',
            in: 'query',
            schema: { type: 'array', maxItems: limits.liveScopesMax, items: ref('scope') },
            description: 'Of these scopes only. Absent: of every scope that the token may read.',
          },
        ],
        responses: {
          101: { description: 'A WebSocket. Code 4401 closes it when the token expires.', headers: {}, content: {} },
          200: answer(
            'Server-Sent Events, with Accept: text/event-stream. The last one is close, with a code.',
            { 'text/event-stream': { schema: { type: 'string' } } },
            { 'Cache-Control': header('CacheControl'), 'X-Accel-Buffering': header('AccelBuffering') },
          ),
          ...failures([...problemsOfAll, 'no_scope', 'forbidden_origin', 'upgrade_required', 'too_many_sockets']),
        },
      },
    },
    '/health': {
      get: {
        operationId: 'health',
        summary: 'Whether the server and its databases answer, and have what this version needs',
        description:
          'Every database that is there by itself is asked, once a second at the most. It wakes no Durable Object.',
        security: [],
        responses: {
          200: answer('They do.', json('health')),
          ...failures(['internal', 'unavailable', 'schema_behind']),
        },
      },
    },
    '/openapi.json': {
      get: {
        operationId: 'openapi',
        summary: 'This document',
        security: [],
        responses: {
          200: answer(
            'OpenAPI 3.1.',
            { 'application/json': { schema: { type: 'object' } } },
            { 'Cache-Control': header('CacheControl'), 'Content-Encoding': compressed },
          ),
          ...failures(['internal']),
        },
      },
    },
    '/docs': {
      get: {
        operationId: 'docs',
        summary: 'The manual, as pages to read',
        security: [],
        responses: {
          308: answer(
            'It begins at /docs/.',
            {},
            { 'Cache-Control': header('CacheControl'), Location: header('Location') },
          ),
        },
      },
    },
    '/reference': {
      get: {
        operationId: 'reference',
        summary: 'This document as a page to read, which sends requests too',
        security: [],
        responses: {
          200: answer(
            'HTML.',
            { 'text/html': { schema: { type: 'string' } } },
            { 'Cache-Control': header('CacheControl'), 'Content-Encoding': compressed },
          ),
          ...failures(['internal', 'not_found']),
        },
      },
    },
  }
}
