import { Problem } from '../model/errors.ts'
import { StoreFault } from '../stores/store.ts'
import type { SyncEvent } from './facts.ts'

/** Seconds after which a client may try again when the database did not answer. */
const retryAfterSeconds = 2

/**
 * Any error as the `Problem` that the caller may see. A fault of the database is transient or ours,
 * never the change's (P13).
 */
export function failureOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof StoreFault && error.kind !== 'broken') {
    return new Problem('unavailable', 'Nothing is half done. Send the same again later: that is always safe.', {
      headers: { 'Retry-After': String(retryAfterSeconds) },
      cause: error,
    })
  }
  return new Problem('internal', 'The log of the server says more, by the request id.', { cause: error })
}

/**
 * What lies behind an error, in words that hold no value. Nothing where the request itself was at
 * fault.
 */
export function faultOf(error: unknown): Pick<SyncEvent, 'fault' | 'faultCode'> {
  if (error === undefined || error instanceof Problem) return { fault: undefined, faultCode: undefined }
  if (error instanceof StoreFault) return { fault: error.kind, faultCode: error.code }
  return { fault: error instanceof Error ? error.name : 'unknown', faultCode: undefined }
}
