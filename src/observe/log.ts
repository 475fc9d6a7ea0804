import { hashScope, type RequestEvent } from './facts.ts'
import { faultOf } from './failure.ts'

/** Which requests have a line: all, those that the server itself failed, none. */
export const logModes = ['json', 'errors', 'off'] as const
export type LogMode = (typeof logModes)[number]

/** What `onRequest` is to be for a mode, and how its lines are written. */
export function requestLog(
  mode: LogMode,
  write: (line: string) => void = (line) => console.log(line),
): ((event: RequestEvent) => void) | undefined {
  if (mode === 'off') return undefined
  return (event) => {
    if (mode === 'json' || isError(event)) write(requestLine(event, new Date()))
  }
}

/**
 * One line of JSON. Every member is a number, a hash, an id of driftline's own, or a word out of a
 * list.
 */
export function requestLine(event: RequestEvent, time: Date): string {
  const { operation, requestId, method, route, status, code, fault, faultCode, aborted, durationMs } = event
  return JSON.stringify({
    time,
    level: isError(event) ? 'error' : 'info',
    request_id: requestId,
    method,
    route,
    status,
    code,
    fault,
    fault_code: faultCode,
    aborted: aborted || undefined,
    duration_ms: toTenths(durationMs),
    ...(operation && {
      database_ms: toTenths(event.databaseMs),
      changes: event.changes,
      verdicts: event.verdicts,
      rejected: event.rejected,
      conflicting: event.conflicting || undefined,
      rows: event.rows,
      bytes: event.bytes,
      scopes: event.scopes,
      scope_hash: event.scopeHash,
    }),
  })
}

/**
 * An error of the server's own outside of any request, with a code, never a message that could hold
 * SQL or a value.
 */
export function logError(where: string, error: unknown, requestId?: string): void {
  const { fault, faultCode } = faultOf(error)
  const line = { time: new Date(), level: 'error', request_id: requestId, where, fault, fault_code: faultCode }
  console.error(JSON.stringify(line))
}

/**
 * What whoever runs the server should know and nobody waits for: a sentence of driftline's own,
 * without any value.
 */
export function logWarning(where: string, detail: string): void {
  console.warn(JSON.stringify({ time: new Date(), level: 'warning', where, detail }))
}

/** The end of what `logError` told of, beside it: something is back that was away. */
export function logReturn(where: string, awayMs: number): void {
  console.error(JSON.stringify({ time: new Date(), level: 'info', where, away_ms: awayMs }))
}

/** A webhook that was not taken. Neither its URL nor anything of the answer but the status. */
export interface DeliveryFailure {
  readonly endpoint: string
  readonly status: number | undefined
  readonly error: string
  readonly attempts: number
  /**
   * It was the last try: nothing more of this scope goes to the endpoint until somebody enables it.
   */
  readonly disabled: boolean
  readonly scope: string
}

export async function logDelivery({ scope, disabled, ...failure }: DeliveryFailure): Promise<void> {
  const more = { disabled: disabled || undefined, scope_hash: await hashScope(scope) }
  console.error(JSON.stringify({ time: new Date(), level: 'error', where: 'delivery', ...failure, ...more }))
}

function isError({ status, fault }: RequestEvent): boolean {
  return status >= 500 || fault !== undefined
}

function toTenths(ms: number): number {
  return Math.round(ms * 10) / 10
}
