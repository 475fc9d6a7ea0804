import type { Context } from 'hono'
import type { DocumentName, ReadDocument } from '../openapi/document-names.ts'
import { jsonType } from './types.ts'

const headers: Readonly<Record<DocumentName, Readonly<Record<string, string>>>> = {
  'openapi.json': { 'Content-Type': jsonType },
  'docs.html': {
    'Content-Type': 'text/html; charset=utf-8',
    // The page brings its style with it, and needs nothing else.
    'Content-Security-Policy':
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  },
}

/** `GET /openapi.json` and `GET /docs`: the same for everyone, and new with a deploy. */
export function documentHandler(read: ReadDocument, name: DocumentName) {
  return async (_: Context): Promise<Response> =>
    new Response(await read(name), {
      headers: { ...headers[name], 'Cache-Control': 'public, max-age=300', 'X-Content-Type-Options': 'nosniff' },
    })
}
