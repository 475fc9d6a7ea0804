import { Problem } from '../../model/errors.ts'
import { isDiskFault } from '../../stores/retrying.ts'
import { StoreFault } from '../../stores/store.ts'

/** What went wrong with an import, in a sentence or two that say what to do. */
export function sayFault(error: unknown): string {
  if (error instanceof StoreFault) {
    const words = `${error.message}${error.code === undefined ? '' : ` (${error.code})`}`
    if (isDiskFault(error)) return `The database cannot write: ${words}. Its disk may be full: make room.`
    if (error.kind === 'transient') return `The database does not answer, or takes nothing: ${words}.`
    return `The database does not take what driftline sends: ${words}. Try npx driftline migrate --check.`
  }
  if (error instanceof Problem) return error.message
  const { code, message, path } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC') return `No room is left to write ${path ?? 'what is rejected'}: make some.`
  if (code === 'ENOENT') return `There is no file ${path}.`
  if (code === 'EACCES' || code === 'EROFS') return `This may not be read or written here: ${path ?? message}.`
  return message
}
