import { StoreFault } from './stores/store.ts'

/** One line of JSON: which request failed and how, with a code, never a message that could hold SQL or a value. */
export function logError({ requestId, route, error }: { requestId: string; route: string; error: unknown }): void {
  const fault =
    error instanceof StoreFault
      ? { fault: error.kind, code: error.code }
      : { fault: error instanceof Error ? error.name : 'unknown' }
  console.error(JSON.stringify({ time: new Date().toISOString(), request_id: requestId, route, ...fault }))
}
