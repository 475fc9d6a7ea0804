import { readFileSync } from 'node:fs'

/** What a script of package.json gives to Node: its flags, and the file. */
export function nodeArguments(script: string): string[] {
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const [exec, node, ...words] = String(scripts[script]).split(' ')
  if (`${exec} ${node}` !== 'exec node') throw new TypeError(`The script ${script} does not run Node`)
  return words
}
