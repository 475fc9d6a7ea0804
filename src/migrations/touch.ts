import { lockScopes, type Touch, touchSql } from '../sql/touch-sql.ts'
import type { DialectName } from './ddl.ts'

/** A part of a file: a statement, or a line that stands for some. */
export type Part = string | (Touch & { readonly line: number })

/** As `generate` writes it: a comment, so that psql and sqlite3 take the file too. */
export const touchLine = (table: string) => `-- driftline: touch ${table}`

/**
 * What a comment asks for: `-- driftline: touch todos`, or `-- driftline: touch todos WHERE title
 * IS NULL`. Nothing where it is for people. Throws a `TypeError` where it means to ask and cannot
 * be understood: taken for a remark, it would leave the phones without what the migration did.
 */
export function readTouch(comment: string): Touch | undefined {
  const text = comment.replace(/^--|^\/\*|\*\/$/g, '').trim()
  if (!asks.test(text)) return undefined
  const [, table, condition] =
    /^driftline\s*:\s*touch\s+("?[a-z][a-z0-9_]{0,62}"?)(?:\s+where\s+(\S.*?))?\s*;?$/is.exec(text) ?? []
  const name = table?.replace(/^"(.*)"$/, '$1')
  if (!comment.startsWith('--') || name === undefined || !/^[a-z][a-z0-9_]*$/.test(name)) {
    throw new TypeError(`-- ${text} is not understood: ${how}`)
  }
  if (name.startsWith('driftline_')) throw new TypeError(`-- ${text}: ${name} is driftline's own, and no phone has it`)
  return condition === undefined ? { table: name } : { table: name, condition }
}

const how = `write ${touchLine('todos')}, a line for each table, or ${touchLine('todos')} WHERE title IS NULL`

/** Also the likely misspellings, of `driftline` and of the line as a whole. */
const asks = /^driftline\s*:|^d\w{3,6}l\w{1,3}[\s:;.,=-]*to?u?ch\b|^touch\s*\(/i

/** The statements of a file, with those that its touches stand for in their places. */
export function expandTouches(parts: readonly Part[], dialect: DialectName): string[] {
  const statements = parts.flatMap((part) => (typeof part === 'string' ? [part] : touchSql(dialect, part)))
  if (parts.every((part) => typeof part === 'string')) return statements
  // The lock comes before all else, but for a file that makes what is locked.
  const made = statements.findLastIndex((sql) => /^create\s+table\s[^(]*\bdriftline_scopes\b/i.test(sql)) + 1
  return statements.toSpliced(made, 0, ...lockScopes[dialect])
}

/**
 * Throws a `TypeError` for a touch of a table that no migration before it speaks of: found out by
 * the databases, it would stop every Durable Object after the deploy. `before` are the statements
 * of the files that come first.
 */
export function checkTouches(parts: readonly Part[], before: readonly string[]): void {
  const spoken = [...before]
  for (const part of parts) {
    if (typeof part === 'string') spoken.push(part)
    else {
      const tables = new Set(spoken.flatMap(namesOf))
      if (tables.has(part.table)) continue
      const own = [...tables].filter((name) => !name.startsWith('driftline_')).sort()
      throw new TypeError(
        `line ${part.line} touches ${part.table}, which no migration has made by then: ${own.length > 0 ? `there are ${own.join(', ')}` : 'there is no table yet'}`,
      )
    }
  }
}

/** The names that a statement makes tables of, by CREATE or RENAME, in whatever quotes. */
function namesOf(sql: string): string[] {
  const found = sql.matchAll(
    /\b(?:create\s+(?:\w+\s+)?table(?:\s+if\s+not\s+exists)?|rename\s+to)\s+(?:\S+\.)?["`[]?(\w+)/gi,
  )
  return [...found].map(([, name]) => String(name).toLowerCase())
}
