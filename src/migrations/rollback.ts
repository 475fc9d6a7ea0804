/** Quoted things and comments, in which a word means nothing. */
const quotedOrComment = /'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g
const rollback = /\b(?:RAISE\s*\(|ON\s+CONFLICT|(?:INSERT|UPDATE)\s+OR)\s*ROLLBACK\b/i

/**
 * Throws a `TypeError` where a statement of SQLite would end the whole transaction by a row that it
 * refuses: `RAISE(ROLLBACK, …)` and the conflict clause of that name. In a Durable Object and in D1
 * the runtime's own transaction ends with it, and the object is lost each time. ABORT refuses the
 * same rows.
 */
export function refuseRollbacks(statements: readonly string[]): void {
  for (const sql of statements) {
    const found = rollback.exec(sql.replace(quotedOrComment, ' '))
    if (!found) continue
    const [first = ''] = sql.split('\n')
    throw new TypeError(
      `${found[0].replace(/\s+/g, ' ')} in "${first.slice(0, 80)}" would end the transaction in the middle, and a Durable Object with it: write ABORT instead, which refuses the same rows`,
    )
  }
}
