import { StoreFault } from './store.ts'

const unopened =
  /^(SQLITE_(CANTOPEN|READONLY|IOERR|PERM|AUTH)|E(ACCES|PERM|ROFS|EXIST|NOTDIR|ISDIR|NOENT|LOOP|NAMETOOLONG)$)/

/**
 * Why the file of a database could not be opened, with what to do. Passing, as any disk that is
 * away.
 */
export function explainFile(error: unknown): unknown {
  if (error instanceof TypeError) return error
  const { code, message = '' } = error as { code?: string; message?: string }
  const say = (what: string) =>
    new StoreFault('transient', {
      message: `the file of DATABASE_URL ${what}${code ? ` (${code})` : ''}`,
      code,
      cause: error,
    })
  if (code?.startsWith('SQLITE_NOTADB')) return say('is no database of SQLite: name another')
  // The engine gives no code where it cannot open a file at all.
  if (unopened.test(code ?? '') || message.startsWith('ConnectionFailed('))
    return say('cannot be opened and written: name a file, not a folder, in a folder where this user may write')
  return error
}
