import type { Context } from 'hono'
import { type Live, subprotocol, type Transport } from '../live/live.ts'
import { Problem } from '../model/errors.ts'
import { limits } from '../model/limits.ts'
import type { Principal } from '../model/principal.ts'
import { malformed } from '../wire/request.ts'
import type { Authenticate } from './auth.ts'
import type { Env } from './env.ts'
import type { IsAllowed } from './origins.ts'
import { unauthorized } from './unauthorized.ts'

/**
 * `GET /v1/live?scope=…`: a WebSocket or Server-Sent Events that are told of every commit in the
 * principal's scopes.
 */
export function liveHandler(authenticate: Authenticate, live: Live, isAllowed: IsAllowed) {
  return async (context: Context<Env>): Promise<Response> => {
    const { raw } = context.req
    // Hono lets a GET answer a HEAD, and would leave its stream open for ever.
    if (raw.method !== 'GET') throw new Problem('method_not_allowed', 'Use GET here.', { headers: { Allow: 'GET' } })
    const asked = decodeQuery(context.req.queries())
    checkOrigin(raw, isAllowed)
    const transport = readTransport(raw.headers)
    const principal = await authenticate(readToken(raw.headers))
    // The leeway of other requests is not for a socket, which lives as long as its token.
    if (principal.expiresAt <= Date.now()) throw unauthorized('The token has expired. Get a new one.', true)
    const { subject, expiresAt } = principal
    const listener = { subject, expiresAt, scopes: chooseScopes(asked, principal) }
    return live.connect(raw, listener, transport, (ended) => {
      context.get('facts').ended = ended
    })
  }
}

/**
 * The scopes asked for. A token in the URL, which every proxy logs, is refused with every other
 * unknown parameter.
 */
function decodeQuery(queries: Record<string, string[]>): readonly string[] {
  // The parameter is not named: its name may be the token.
  if (Object.keys(queries).some((name) => name !== 'scope'))
    throw malformed('A live connection has no parameter but scope. A token must never stand in a URL.')
  return queries.scope ?? []
}

/**
 * Browsers send the origin of the page with every handshake, and leave it to the server to mind it.
 */
function checkOrigin({ url, headers }: Request, isAllowed: IsAllowed): void {
  const origin = headers.get('origin')
  if (origin === null || isAllowed(origin)) return
  // The host alone: behind a proxy that ends TLS this server sees http. Pages of other schemes are
  // never its own.
  if (/^https?:/.test(origin) && URL.canParse(origin) && new URL(origin).host === new URL(url).host) return
  throw new Problem('forbidden_origin', 'Pages of this origin are not in CORS_ORIGINS.')
}

function readTransport(headers: Headers): Transport {
  if (headers.get('upgrade')?.toLowerCase() === 'websocket') {
    const protocols = readProtocols(headers)
    if (protocols.length > 0 && !protocols.includes(subprotocol))
      throw malformed(`Offer the subprotocol ${subprotocol}, which the server selects.`)
    return 'socket'
  }
  const types = headers.get('accept')?.split(',') ?? []
  if (types.some((type) => type.split(';')[0]?.trim().toLowerCase() === 'text/event-stream')) return 'events'
  throw new Problem('upgrade_required', 'Open a WebSocket, or send Accept: text/event-stream.', {
    headers: { Upgrade: 'websocket', Connection: 'Upgrade' },
  })
}

/**
 * A browser can set no header of a WebSocket but this one, a list of names: its token is one of
 * them.
 */
function readToken(headers: Headers): string | undefined {
  const bearer = readProtocols(headers).find((protocol) => protocol.startsWith('bearer.'))
  return headers.get('authorization') || (bearer && `Bearer ${bearer.slice('bearer.'.length)}`)
}

function readProtocols(headers: Headers): string[] {
  const names = headers.get('sec-websocket-protocol')?.split(',') ?? []
  return names.map((name) => name.trim())
}

function chooseScopes(asked: readonly string[], { scopes }: Principal): string[] {
  if (scopes.size === 0) throw new Problem('no_scope', 'The token grants no scope to read or write.')
  const chosen = asked.length === 0 ? [...scopes.keys()] : [...new Set(asked)]
  if (chosen.length > limits.liveScopesMax)
    throw malformed(`A connection is told of ${limits.liveScopesMax} scopes at the most. Name some with ?scope=.`)
  // Worded the same whether or not the scope exists (P11).
  if (!chosen.every((scope) => scopes.has(scope)))
    throw new Problem('no_scope', 'The token does not grant every scope that was asked for.')
  return chosen
}
