import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** What a script of package.json gives to Node: its flags and the file, which are found from any folder. */
export function nodeArguments(script: string): string[] {
  const [node, ...words] = String(scripts[script]).split(' ')
  if (node !== 'node') throw new TypeError(`The script ${script} does not run Node`)
  return words.map((word) => (/\.[jt]s$/.test(word) ? join(root, word) : word))
}
