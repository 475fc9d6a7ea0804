import { readFileSync } from 'node:fs'

/**
 * The files that a page of the manual shows: indented blocks whose first line is a comment with the
 * file's name.
 */
export function filesInManual(page: string): Readonly<Record<string, string>> {
  const blocks = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8').matchAll(
    /(?:^ {4}.*\n|\n(?= {4}))+/gm,
  )
  const files: Record<string, string> = {}
  for (const [block] of blocks) {
    const code = block.replaceAll(/^ {4}/gm, '')
    const [, name] = /^\s*\/\/ (\S+\.ts)\n/.exec(code) ?? []
    if (name !== undefined) files[name] = code
  }
  return files
}
