import type { Context } from 'hono'

/** What driftline keeps beside a request, for its answer's headers and its log line. */
export interface Env {
  Variables: { requestId: string; databaseMs: number }
}

export function addDatabaseTime(context: Context<Env>, ms: number): void {
  context.set('databaseMs', (context.get('databaseMs') ?? 0) + ms)
}
