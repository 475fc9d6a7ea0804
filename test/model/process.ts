import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Store } from '../../src/stores/store.ts'

/** What requests go to. */
export interface Server {
  request(path: string, init: RequestInit): Promise<Response> | Response
  /** Ends it at once, whatever it is doing. */
  kill?(): Promise<void>
}

/** A process of its own, which may be killed in the middle of a request. */
export async function startServer(url: string, nowMs: () => number): Promise<Required<Server>> {
  const entry = new URL('server.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [entry, url], { stdio: ['pipe', 'pipe', 'inherit'] })
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

/** The positions of scopes, once nothing of a killed process is under way any more. */
export async function settledPositions(store: Store, scopes: readonly string[]): Promise<Map<string, number>> {
  const busy = `SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'driftline' AND state <> 'idle'`
  while (store.dialect.name === 'postgres') {
    const [rows] = await store.batch('', [{ sql: busy, params: [] }])
    if (Number(rows?.[0]?.[0]) === 0) break
  }
  const positions = new Map<string, number>()
  for (const scope of scopes) {
    const sql = `SELECT position FROM driftline_scopes WHERE scope = ${store.dialect.param(1)}`
    const [rows] = await store.batch(scope, [{ sql, params: [scope] }])
    positions.set(scope, Number(rows?.[0]?.[0] ?? 0))
  }
  return positions
}
