import type { Context } from 'hono'
import { Problem } from '../model/errors.ts'
import type { ReadDocument } from '../openapi/read-document.ts'
import { accepts, encodingsOf } from './accepts.ts'
import type { Gzip } from './pull.ts'
import { jsonType } from './types.ts'

export interface DocumentsOptions {
  readonly read: ReadDocument
  /** Compresses them, where nothing else does that between here and who asks. */
  readonly gzip?: Gzip | undefined
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  json: jsonType,
}

/**
 * Pages run their own scripts alone, and ask nobody else for anything. Styles that stand in a page
 * are of the two programs that make them: the colours of code, and the reference's own.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ')

/** The same for everyone, and new with a deploy. */
export function documentHandlers({ read, gzip }: DocumentsOptions) {
  async function answer(context: Context, name: string): Promise<Response | undefined> {
    // No segment begins with a dot, or is empty.
    const body = /^([\w@][\w@.-]*\/)*[\w@][\w@.-]*$/.test(name) ? await read(name) : undefined
    if (body === undefined) return undefined
    const headers = new Headers({
      'Content-Type': types[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream',
      // The names of those change with what is in them.
      'Cache-Control': name.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'public, max-age=300',
      'X-Content-Type-Options': 'nosniff',
      // Where it is not compressed here, an edge does it.
      Vary: 'Accept-Encoding',
    })
    if (name !== 'openapi.json') headers.set('Content-Security-Policy', policy)
    const { req } = context
    // A HEAD has no body, which nobody would ever read to its end.
    if (req.method === 'HEAD') return new Response(null, { headers })
    const { body: plain } = new Response(body)
    if (!gzip || !accepts(encodingsOf(req), 'gzip')) return new Response(plain, { headers })
    headers.set('Content-Encoding', 'gzip')
    return new Response(plain?.pipeThrough(gzip()), { headers })
  }

  async function page(context: Context, name: string): Promise<Response> {
    const found = await answer(context, name)
    if (found) return found
    const isBuilt = (await read('reference/index.html')) !== undefined
    throw new Problem(
      'not_found',
      isBuilt
        ? 'There is no such page. The manual begins at /docs/, the reference is /reference.'
        : 'The pages are not here yet. In a clone npm run docs builds them; for a worker npx driftline bundle then takes them along.',
    )
  }

  return {
    /** `GET /openapi.json`. */
    openapi: async (context: Context) => {
      const found = await answer(context, 'openapi.json')
      if (!found) throw new Error('public/openapi.json is missing: npx driftline bundle')
      return found
    },
    /**
     * `GET /docs`, and `GET /docs/`: what is found from beside a page is there under whatever path
     * the app is mounted.
     */
    docs: (context: Context) => (context.req.path.endsWith('/') ? page(context, 'docs/index.html') : moved('docs/')),
    /** `GET /docs/start`, and what the pages ask for. */
    docsFile: (context: Context) => {
      const path = context.req.path.replace(/^.*?\/docs\//, '')
      return page(context, `docs/${path}${/\.\w+$/.test(path) ? '' : '.html'}`)
    },
    /** `GET /reference`. */
    reference: (context: Context) =>
      context.req.path.endsWith('/') ? moved('../reference') : page(context, 'reference/index.html'),
    referenceFile: (context: Context) =>
      page(context, `reference/${context.req.path.replace(/^.*?\/reference\//, '')}`),
  }
}

const moved = (location: string) =>
  new Response(null, { status: 308, headers: { Location: location, 'Cache-Control': 'public, max-age=300' } })
