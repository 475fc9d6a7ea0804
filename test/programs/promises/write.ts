import { readFile, writeFile } from 'node:fs/promises'
import { promiseSection, putSection } from './promises.ts'

/** `npm run promises`: writes the README's tables of promises, their tests and the last runs' figures, and prints them. */
const file = new URL('../../../README.md', import.meta.url)
const section = await promiseSection()
await writeFile(file, putSection(await readFile(file, 'utf8'), section))
console.log(section)
