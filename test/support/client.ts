import { DatabaseSync } from 'node:sqlite'
import { openClient } from '../../src/client/client.ts'
import { fromNode } from '../../src/client/storage/drivers.ts'
import { memory } from '../../src/client/storage/memory.ts'
import { sqlite } from '../../src/client/storage/sqlite.ts'
import type { Database, Storage } from '../../src/client/storage/storage.ts'
import type { ClientOptions } from '../../src/client/types.ts'
import { signToken, type TokenClaims } from '../../src/runtime/sign-token.ts'
import { schema } from './schema.ts'
import { testSecret } from './server.ts'

export type ClientStorageName = 'memory' | 'node:sqlite'
export const clientStorages: readonly ClientStorageName[] = ['memory', 'node:sqlite']

/** A device's database, which is opened as often as its app is started. */
export function openDevice(name: ClientStorageName, folder: string): () => Storage {
  if (name === 'memory') {
    const kept = memory()
    return () => kept
  }
  const file = `${folder}/${crypto.randomUUID()}.db`
  return () => sqlite(fromNode(new DatabaseSync(file)))
}

type Options = Partial<ClientOptions<typeof schema>> & Pick<TokenClaims, 'scopes'>

/** A client of the tests' schema, without a live connection unless it is asked for. */
export function openPhone(url: string, storage: Storage, scope: string, { scopes = [], ...more }: Options = {}) {
  return openClient({
    ...{ schema, url, storage, scope, WebSocket: null },
    token: () => signToken(testSecret, { sub: scope, scopes }),
    ...more,
  })
}

/** The same storage, of which each writing transaction is told to a function, before it is done and after. */
export function watched(storage: Storage, onWrite: (when: 'before' | 'after') => void): Storage {
  return {
    async open(name, tables) {
      const database = await storage.open(name, tables)
      const write: Database['write'] = async (work) => {
        onWrite('before')
        const result = await database.write(work)
        onWrite('after')
        return result
      }
      return { ...database, write }
    },
  }
}

/** A `fetch` that a function may answer in the place of the server, or end by throwing. */
export function intercepting(
  answer: (path: string, body: Record<string, unknown>) => Response | undefined | Promise<Response | undefined>,
): typeof fetch {
  return async (input, init) => {
    const path = new URL(String(input)).pathname
    const body = typeof init?.body === 'string' ? JSON.parse(init.body) : {}
    return (await answer(path, body)) ?? fetch(input, init)
  }
}

export const problem = (status: number, code: string, more: object = {}, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ status, code, ...more }), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  })
