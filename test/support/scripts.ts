import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const project = join(root, 'test/support/project')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/**
 * What a script of package.json gives to Node: its flags and the file, which are found from any
 * folder.
 */
export function nodeArguments(script: string): string[] {
  const [node, ...words] = String(scripts[script] ?? `node src/cli/main.ts ${script}`).split(' ')
  if (node !== 'node') throw new TypeError(`The script ${script} does not run Node`)
  return words.map((word) => (/\.[jt]s$/.test(word) ? join(root, word) : word))
}

/**
 * Makes a folder a project with the sample's tables, as a command wants to be started in one, and
 * gives the folder: in the place of the repository's own that of the tests, for its app may have
 * other tables.
 */
export function asProject(folder: string): string {
  if (existsSync(join(folder, 'src/app'))) return project
  if (!existsSync(join(folder, 'driftline.config.mjs'))) {
    const config = pathToFileURL(join(project, 'driftline.config.ts')).href
    writeFileSync(join(folder, 'driftline.config.mjs'), `export { default } from ${JSON.stringify(config)}\n`)
    symlinkSync(join(project, 'migrations'), join(folder, 'migrations'))
  }
  return folder
}
