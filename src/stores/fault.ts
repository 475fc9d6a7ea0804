import { kindOfState } from '../sql/postgres/state-kind.ts'
import { StoreFault } from './store.ts'

/**
 * What a Postgres error means, whichever driver brought it. No code: the connection broke. What is
 * none of ours, of the connection, of resources and of a broken schema is about the rows:
 * constraints, row level security, and triggers, which may raise any code.
 */
export function postgresFault(error: unknown): StoreFault {
  if (error instanceof StoreFault) return error
  const { message, code, constraint, routine } = readError(error)
  // The role lacks a right to all of the table. Row level security has the same code and refuses a
  // row.
  if (code === '42501' && routine === 'aclcheck_error') return new StoreFault('broken', { message, code, cause: error })
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code) || (/^E[A-Z]+$/.test(code) && !hasSeverity(error)))
    return new StoreFault('transient', { message, code, cause: error })
  return new StoreFault(kindOfState(code), { message, code, constraint, cause: error })
}

/**
 * The server's own errors have one. Without it EPIPE is the network's; a trigger may raise any five
 * letters.
 */
function hasSeverity(error: unknown): boolean {
  const { severity } = error as { severity?: unknown }
  return typeof severity === 'string' && severity !== ''
}

/**
 * Of a deadline here, of `statement_timeout`, and of sqld, which ends a transaction after five
 * seconds.
 */
export const tooSlowCode = 'DRIFTLINE_TOO_SLOW'
const tooSlowCodes = new Set([tooSlowCode, '57014', 'TRANSACTION_TIMEOUT'])

/** Whether the database was at work for longer than it may be. */
export function isTooSlow(error: unknown): boolean {
  if (!(error instanceof StoreFault) || error.kind !== 'transient') return false
  return (error.code !== undefined && tooSlowCodes.has(error.code)) || isTimeout(error.cause)
}

/** What a signal of `AbortSignal.timeout` ends a fetch with, below what a client makes of it. */
function isTimeout(error: unknown, depth = 0): boolean {
  const { name, cause, sourceError } = Object(error) as Readonly<Record<string, unknown>>
  if (name === 'TimeoutError') return true
  return depth < 4 && error !== undefined && (isTimeout(cause, depth + 1) || isTimeout(sourceError, depth + 1))
}

const transientCodes = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|NOMEM|CANTOPEN|PROTOCOL|INTERRUPT|READONLY|NOTADB|CORRUPT)/
/**
 * The schema lacks what a statement names. Any other plain error may be of a value, as `malformed
 * JSON` in a trigger is.
 */
const brokenMessage =
  /\b(no such (table|column|function|index|view|trigger|module|collation)|has no column named|syntax error|no tables specified|incomplete input|already exists|wrong number of arguments|prepared statement|ambiguous column|has \d+ columns but \d+ values|\d+ values for \d+ columns)/
/** Behind these words stands a value, which may say anything. */
const echo = /\b(bad JSON path|JSON path error near|fts5: syntax error near)\b.*$/s
const brokenCodes = /^SQL(ITE_(AUTH|MISUSE|SCHEMA|RANGE|PERM|NOTFOUND|EMPTY|FORMAT)|_)/

/** Where a Durable Object's SQLite says its code: at the end of the message. */
const codeInMessage = /: (SQLITE_[A-Z]+)(?: \(extended: SQLITE_[A-Z_]+\))?$/

/**
 * What a SQLite error means, from a file, over HTTP or in a Durable Object. Codes that do not begin
 * with SQL are the network's.
 */
export function sqliteFault(error: unknown): StoreFault {
  if (error instanceof StoreFault) return error
  const { message, code: given } = readError(error)
  const named = given ?? codeInMessage.exec(message)?.[1]
  // The engine has no name for some extended codes, such as that of a wrong type in a STRICT table.
  const code = named?.startsWith('UNKNOWN_SQLITE_ERROR') && isConstraint(error) ? 'SQLITE_CONSTRAINT' : named
  const more = { message, code, cause: error }
  if (code === undefined || !code.startsWith('SQL')) return new StoreFault('transient', more)
  if (transientCodes.test(code)) return new StoreFault('transient', more)
  if (brokenCodes.test(code) || (/^SQLITE_ERROR/.test(code) && brokenMessage.test(message.replace(echo, ''))))
    return new StoreFault('broken', more)
  return new StoreFault('refused', { ...more, constraint: constraintIn(message) })
}

/**
 * `UNIQUE constraint failed: lists.scope, lists.name`, `CHECK constraint failed: name`, or what a
 * trigger raised.
 */
function constraintIn(message: string): string | undefined {
  const text = message.replace(codeInMessage, '').replace(/^(?:\w+: )?SQLITE_\w+: (?:SQLite (?:input )?error: )?/, '')
  const named = /(?:UNIQUE|CHECK) constraint failed: (?:index '(.+)'|(.+))$/.exec(text)
  return named ? (named[1] ?? named[2]) : text || undefined
}

function isConstraint(error: unknown): boolean {
  const { rawCode } = error as { rawCode?: unknown }
  return typeof rawCode === 'number' && (rawCode & 0xff) === 19
}

interface DriverError {
  readonly message: string
  readonly code: string | undefined
  readonly constraint: string | undefined
  /** The place in Postgres' sources that said it, which no setting translates. */
  readonly routine: string | undefined
}

function readError(error: unknown): DriverError {
  const given = Object(error) as Readonly<Record<string, unknown>>
  const textOf = (name: string) => {
    const value = given[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  return {
    message: textOf('message') ?? '',
    code: textOf('code'),
    constraint: textOf('constraint'),
    routine: textOf('routine'),
  }
}
