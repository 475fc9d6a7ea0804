/** SQLite's names of its result codes, whose places are their numbers. */
const names = [
  ...['OK', 'ERROR', 'INTERNAL', 'PERM', 'ABORT', 'BUSY', 'LOCKED', 'NOMEM', 'READONLY', 'INTERRUPT', 'IOERR'],
  ...['CORRUPT', 'NOTFOUND', 'FULL', 'CANTOPEN', 'PROTOCOL', 'EMPTY', 'SCHEMA', 'TOOBIG', 'CONSTRAINT', 'MISMATCH'],
  ...['MISUSE', 'NOLFS', 'AUTH', 'FORMAT', 'RANGE', 'NOTADB'],
]

/**
 * The name of a result code, such as `SQLITE_CONSTRAINT` of 19 and of 2067: what `sqliteFault`
 * reads, where a driver gives the number alone, as `node:sqlite` does by `errcode`. An extended
 * code has its kind in the last byte.
 */
export function sqliteCode(result: number): string {
  return `SQLITE_${names[result & 0xff] ?? 'ERROR'}`
}
