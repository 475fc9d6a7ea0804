import { signToken } from '../../../src/runtime/sign-token.ts'
import { testSecret } from '../../support/server.ts'
import type { Body, ClientRequest } from './client.ts'
import type { Exchange } from './explain.ts'
import type { Server } from './process.ts'
import type { Access } from './reference.ts'
import type { Trouble } from './trouble.ts'

/** A request on its way, with what its token grants. */
export interface Letter {
  readonly client: string
  readonly request: ClientRequest
  readonly access: ReadonlyMap<string, Access>
}

/** Hands a request to the server. A change of the token's first scope names none. */
export async function request(
  server: Server,
  { client, request, access }: Letter,
  now: number,
  trouble: Trouble | undefined,
): Promise<Exchange> {
  const { half, cursor, limit } = request
  const [own = ''] = access.keys()
  const headers = { Authorization: `Bearer ${await tokenOf(own, access)}`, 'Content-Type': 'application/json' }
  const query = new URLSearchParams({ ...(typeof cursor === 'string' && { cursor }), limit: String(limit) })
  const body = {
    client,
    changes: request.changes.map(({ scope, ...change }) => (scope === own ? change : { ...change, scope })),
    ...(cursor !== undefined && { cursor }),
    ...(half === 'sync' && { limit }),
    return: request.return,
  }
  const response =
    half === 'pull'
      ? await server.request(`/v1/pull?${query}`, { headers })
      : await server.request(`/v1/${half}`, { method: 'POST', headers, body: JSON.stringify(body) })
  return {
    client,
    request,
    access,
    now,
    status: response.status,
    body: (await response.json()) as Body,
    fault: trouble?.fired ? { written: trouble.written } : undefined,
  }
}

const tokens = new Map<string, Promise<string>>()

/** Signed once: a signature costs more than most of the rest. */
function tokenOf(own: string, access: ReadonlyMap<string, Access>): Promise<string> {
  const key = JSON.stringify([...access])
  const scopes = [...access].filter(([id]) => id !== own).map(([id, may]) => ({ id, access: may }))
  const token = tokens.get(key) ?? signToken(testSecret, { sub: own, scopes })
  if (tokens.size > 1_000) tokens.clear()
  tokens.set(key, token)
  return token
}
