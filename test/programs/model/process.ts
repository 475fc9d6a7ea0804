import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Store } from '../../../src/stores/store.ts'

/** What requests go to. */
export interface Server {
  request(path: string, init: RequestInit): Promise<Response> | Response
  /** Ends it at once, whatever it is doing. */
  kill?(): Promise<void>
}

/** A process of its own, which may be killed in the middle of a request. */
export async function startServer(url: string, nowMs: () => number): Promise<Required<Server>> {
  const entry = new URL('server.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [entry, urlOfServer(url)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const [line] = await once(child.stdout, 'data')
  return {
    request: (path, init) =>
      fetch(`http://127.0.0.1:${Number(line)}${path}`, {
        ...init,
        headers: { ...init.headers, 'x-model-now': String(nowMs()) },
      }),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

const serverName = 'driftline-model'

/**
 * Where a server process finds a Postgres: under a name of its own, by which its sessions are
 * known.
 */
function urlOfServer(url: string): string {
  return url.startsWith('postgres:') ? `${url}?application_name=${serverName}` : url
}

/**
 * Until Postgres has ended the sessions of a killed process: what it had sent may be read and
 * committed only now.
 */
export async function untilForgotten(store: Store): Promise<void> {
  const sessions = `SELECT count(*) FROM pg_stat_activity WHERE application_name = '${serverName}'`
  while (store.dialect.name === 'postgres') {
    const [rows] = await store.batch('', [{ sql: sessions, params: [] }])
    if (Number(rows?.[0]?.[0]) === 0) return
  }
}

export async function positionsOf(store: Store, scopes: readonly string[]): Promise<Map<string, number>> {
  const positions = new Map<string, number>()
  for (const scope of scopes) {
    const sql = `SELECT position FROM driftline_scopes WHERE scope = ${store.dialect.param(1)}`
    const [rows] = await store.batch(scope, [{ sql, params: [scope] }])
    positions.set(scope, Number(rows?.[0]?.[0] ?? 0))
  }
  return positions
}
