import type { DialectName } from './ddl.ts'
import { isDraftLine, unfinished } from './draft-line.ts'
import { expandTouches, type Part, readTouch } from './touch.ts'

/** The statements of a SQL file, those that its touches stand for among them. */
export function splitStatements(sql: string, dialect: DialectName): string[] {
  return expandTouches(splitParts(sql, dialect), dialect)
}

/**
 * Splits a SQL file into its statements, without their semicolons and without the comments between
 * them but for those that ask for a touch. A semicolon ends nothing inside a string, a quoted name,
 * a comment, $tag$ … $tag$, or the body of a trigger or function. Throws a `TypeError` that names
 * the line of a quote or comment that never ends, and of a touch that is misspelt or stands within
 * a statement; and for a draft.
 */
export function splitParts(sql: string, dialect: DialectName): Part[] {
  const statements: Part[] = []
  let start = 0
  let end = 0
  let tokens: string[] = []
  for (let at = 0; at < sql.length; ) {
    const token = nextToken(sql, at, dialect)
    if (token === ';' && !isInBody(tokens, dialect)) {
      if (tokens.length > 0) statements.push(sql.slice(start, end))
      tokens = []
    } else if (/^(--|\/\*)/.test(token)) {
      if (isDraftLine(token)) throw new TypeError(unfinished)
      const touch = touchAt(sql, at, token)
      if (touch && tokens.length > 0) {
        throw new TypeError(`the touch in line ${touch.line} stands within a statement: end that with ; before it`)
      }
      if (touch) statements.push(touch)
    } else if (!isSpace(token)) {
      if (tokens.length === 0) start = at
      tokens.push(token.toUpperCase())
      end = at + token.length
    }
    at += token.length
  }
  if (tokens.length > 0) statements.push(sql.slice(start, end))
  return statements
}

/**
 * Whether these tokens stand in a body, in SQLite of CREATE TRIGGER … BEGIN …; END, in Postgres of
 * BEGIN ATOMIC …; END. It ends where END follows a semicolon, which that of CASE … END never does:
 * SQLite's own shell knows it by this too.
 */
function isInBody(tokens: readonly string[], dialect: DialectName): boolean {
  const body =
    dialect === 'sqlite'
      ? /^CREATE (TEMP |TEMPORARY )?TRIGGER\b/.test(tokens.slice(0, 3).join(' '))
      : tokens.some((token, place) => token === 'ATOMIC' && tokens[place - 1] === 'BEGIN')
  const [before, last] = tokens.slice(-2)
  return body && !(last === 'END' && (before === ';' || before === 'ATOMIC'))
}

const isSpace = (token: string) => /^\s/.test(token)

/**
 * The space, comment, quoted thing, word or single character at a place. A doubled quote makes two
 * quoted things side by side.
 */
function nextToken(sql: string, at: number, dialect: DialectName): string {
  if (sql.startsWith('/*', at)) return comment(sql, at, dialect)
  for (const pattern of patterns[dialect]) {
    pattern.lastIndex = at
    const found = pattern.exec(sql)
    if (found) return found[0]
  }
  const [first = ''] = sql.slice(at, at + 2)
  if (opening[dialect].includes(first)) throw unending(sql, at, first)
  return first
}

const spaceAndQuotes = [/\s+/y, /--[^\n]*/y, /'[^']*'/y, /"[^"]*"/y]
const patterns = {
  postgres: [
    ...spaceAndQuotes,
    // A backslash quotes in E'…' only. A $ within a word begins no quotation.
    /e'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'/iy,
    /[\p{L}_][\p{L}\d_$]*/uy,
    /\$([\p{L}_][\p{L}\d_]*)?\$[\s\S]*?\$\1\$/uy,
  ],
  sqlite: [...spaceAndQuotes, /`[^`]*`/y, /\[[^\]]*\]/y, /[\p{L}_][\p{L}\d_$]*/uy],
}
const opening = { postgres: `'"`, sqlite: `'"\`[` }

/** Comments nest in Postgres and do not in SQLite. */
function comment(sql: string, at: number, dialect: DialectName): string {
  const edge = /\/\*|\*\//g
  edge.lastIndex = at + 2
  for (let depth = 1; depth > 0; ) {
    const found = edge.exec(sql)
    if (!found) throw unending(sql, at, '/*')
    if (found[0] === '*/') depth--
    else if (dialect === 'postgres') depth++
  }
  return sql.slice(at, edge.lastIndex)
}

function touchAt(sql: string, at: number, comment: string): Exclude<Part, string> | undefined {
  try {
    const touch = readTouch(comment)
    return touch && { ...touch, line: lineOf(sql, at) }
  } catch (error) {
    throw new TypeError(`line ${lineOf(sql, at)}: ${error instanceof Error ? error.message : error}`)
  }
}

function unending(sql: string, at: number, begin: string): TypeError {
  return new TypeError(`the ${begin} in line ${lineOf(sql, at)} has no end`)
}

const lineOf = (sql: string, at: number) => sql.slice(0, at).split('\n').length
