import { writeFile } from 'node:fs/promises'

/**
 * A JSON list with a line for each item, and the comma before it: two branches that each add lines
 * merge without a conflict, by git's own `union`, and what comes of it is JSON.
 */
export function formatLines(items: readonly unknown[]): string {
  return `[\n${items.map((item) => JSON.stringify(item)).join('\n,')}${items.length > 0 ? '\n' : ''}]\n`
}

/**
 * Says so to git, beside the files: of a conflict the lines of both sides are kept. Left alone
 * where it is there.
 */
export async function writeAttributes(directory: URL): Promise<void> {
  await writeFile(new URL('.gitattributes', directory), '*.json merge=union\n', { flag: 'wx' }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    },
  )
}
