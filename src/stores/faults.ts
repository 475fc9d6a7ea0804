import { markerIn, StoreFault } from './store.ts'

/** SQLSTATE classes and codes after which the same rows would be refused again. */
const refusedStates = /^(22|23|44|P0001|54)/
/** Lost against another transaction: serialization failure, deadlock. */
const conflictStates = /^(40001|40P01)$/
/** Away, restarting, out of connections, disk, memory or time, read only during a failover. */
const transientStates = /^(08|53|57|58|55P03|25006|25P0[34]|40|XX000)/

/** What a Postgres error means, whichever driver brought it. No code: the connection broke. */
export function postgresFault(error: unknown): StoreFault {
  if (error instanceof StoreFault) return error
  const { message, code } = readError(error)
  const marker = markerIn(message)
  if (marker) return new StoreFault('aborted', { message, code, marker })
  const more = { message, code, cause: error }
  // Every SQLSTATE has a digit: EPIPE is the network's.
  if (code === undefined || !/^(?=.*\d)[0-9A-Z]{5}$/.test(code)) return new StoreFault('transient', more)
  if (conflictStates.test(code)) return new StoreFault('conflict', more)
  if (transientStates.test(code)) return new StoreFault('transient', more)
  return new StoreFault(refusedStates.test(code) ? 'refused' : 'broken', more)
}

const refusedCodes = /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH)/
const transientCodes = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|NOMEM|CANTOPEN|PROTOCOL|INTERRUPT|READONLY|NOTADB|CORRUPT)/

/** Where a Durable Object's SQLite says its code: at the end of the message. */
const codeInMessage = /: (SQLITE_[A-Z]+)(?: \(extended: SQLITE_[A-Z_]+\))?$/

/**
 * What a SQLite error means, from a file, over HTTP or in a Durable Object. Codes that do not begin with SQL are the
 * network's.
 */
export function sqliteFault(error: unknown): StoreFault {
  if (error instanceof StoreFault) return error
  const { message, code: given } = readError(error)
  const named = given ?? codeInMessage.exec(message)?.[1]
  const marker = markerIn(message)
  if (marker) return new StoreFault('aborted', { message, code: named, marker })
  // The engine has no name for some extended codes, such as that of a wrong type in a STRICT table.
  const code = named?.startsWith('UNKNOWN_SQLITE_ERROR') && isConstraint(error) ? 'SQLITE_CONSTRAINT' : named
  const more = { message, code, cause: error }
  if (code === undefined || !code.startsWith('SQL')) return new StoreFault('transient', more)
  if (transientCodes.test(code)) return new StoreFault('transient', more)
  return new StoreFault(refusedCodes.test(code) ? 'refused' : 'broken', more)
}

function isConstraint(error: unknown): boolean {
  const { rawCode } = error as { rawCode?: unknown }
  return typeof rawCode === 'number' && (rawCode & 0xff) === 19
}

function readError(error: unknown): { message: string; code: string | undefined } {
  const { message = '', code } = (typeof error === 'object' && error !== null ? error : {}) as {
    message?: string
    code?: unknown
  }
  return { message: String(message), code: typeof code === 'string' ? code : undefined }
}
