import type { Schema } from '../model/table.ts'
import { answerSchemas } from './answers.ts'
import { changeSchemas } from './changes.ts'
import { otherResponses } from './responses.ts'
import { routes } from './routes.ts'
import type { Json } from './schema.ts'

/** The OpenAPI 3.1 document of a server with these tables. */
export function describeApi(schema: Schema): Json {
  return {
    openapi: '3.1.1',
    info: {
      title: 'driftline',
      version: '1',
      summary: 'Sync for offline-first apps: last writer wins, a verdict for every change.',
      description:
        'Every edit has a stamp, when the writer says it happened. The greater stamp wins, and whoever lost is told which row did. Columns may meet by other rules, which stand beside them: what was added stays, or the greatest value. Sending the same request again is always safe. Another method on a route is answered 405, another path 404: see the responses MethodNotAllowed and NotFound.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    externalDocs: { description: 'The manual', url: 'docs/' },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths: routes(schema),
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'Needs exp and sub. Grants the scope sub, and those of the claims that the server is set to: texts, or { "id", "access": "read" }, by default of the claim scopes where the token is signed by a secret.',
        },
      },
      headers: {
        RequestId: must({ type: 'string', format: 'uuid' }, 'Names the request in the log of the server.'),
        ServerTiming: must(
          { type: 'string', pattern: '^total;dur=\\d+\\.\\d(, db;dur=\\d+\\.\\d)?$' },
          'What it took, and what of that the database took, in milliseconds.',
        ),
        Challenge: must({ type: 'string', pattern: '^(Bearer|Signature) ' }, 'RFC 6750.'),
        Allow: must({ type: 'string', pattern: '^[A-Z]+(, [A-Z]+)*$' }, 'The methods of the route.'),
        AccelBuffering: must({ type: 'string', const: 'no' }, 'Keeps proxies from holding events back.'),
        Upgrade: must({ type: 'string', const: 'websocket' }, 'What to upgrade to.'),
        RetryAfter: must({ type: 'integer', minimum: 1 }, 'Seconds after which the same request may be sent again.'),
        Vary: must({ type: 'string', pattern: 'Accept' }, 'The answer depends on this header of the request.'),
        AcceptEncoding: {
          schema: { type: 'string', const: 'gzip, deflate' },
          description: 'The encodings of a body that are taken, where it had another.',
        },
        Location: must({ type: 'string' }, 'Where it is.'),
        CacheControl: must({ type: 'string' }, 'How long the answer may be kept.'),
      },
      responses: otherResponses,
      schemas: { ...answerSchemas, ...changeSchemas(schema) },
    },
  }
}

function must(schema: Json, description: string): Json {
  return { description, required: true, schema }
}
