/**
 * The statements of an SQL file. Knows quotes, dollar quotes, comments, and the bodies of SQLite's triggers, whose
 * statements end in semicolons too.
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = []
  let text = ''
  let depth = 0
  for (const [token] of sql.matchAll(tokens)) {
    const word = token.toUpperCase()
    if (word === 'BEGIN' && /^\s*CREATE\s+(TEMP\w*\s+)?TRIGGER\b/i.test(text)) depth = 1
    else if (depth > 0 && word === 'CASE') depth++
    else if (depth > 0 && word === 'END') depth--
    if (token === ';' && depth === 0) {
      statements.push(text.trim())
      text = ''
    } else if (!token.startsWith('--') && !token.startsWith('/*')) {
      text += token
    }
  }
  return [...statements, text.trim()].filter((statement) => statement !== '')
}

/** Comments, quoted text, dollar-quoted text, words, and any other character, in this order. */
const tokens = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$\w*\$)[\s\S]*?\1|[A-Za-z_]\w*|[\s\S]/g
