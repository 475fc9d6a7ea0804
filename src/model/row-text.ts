/**
 * Stands between the rows of a page, and is never looked for as anything else: no JSON text holds a
 * raw line break, but as white space, and that is taken out where a database may keep it.
 */
export const rowBreak = '\n'

/**
 * White space of a JSON text that would be taken for the end of a line; inside its strings there is
 * none unescaped.
 */
export function withoutBreaks(json: string): string {
  return /[\t\n\r]/.test(json) ? json.replaceAll(/[\t\n\r]/g, ' ') : json
}
