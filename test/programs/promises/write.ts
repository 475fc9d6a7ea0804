import { readFile, writeFile } from 'node:fs/promises'
import { promiseSection, putSection } from './promises.ts'

/**
 * `npm run promises`: writes the tables of docs/promises.md: promises, their tests and the last
 * runs' figures. Prints them.
 */
const file = new URL('../../../docs/promises.md', import.meta.url)
const section = await promiseSection()
await writeFile(file, putSection(await readFile(file, 'utf8'), section))
console.log(section)
