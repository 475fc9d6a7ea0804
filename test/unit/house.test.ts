import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import biome from '../../biome.json' with { type: 'json' }
import { temporaryFolder } from '../support/temporary.ts'

/**
 * The floors of the house, the lowest first. A folder imports from lower floors, and from itself.
 */
const floors = [
  ['model'],
  ['wire', 'sql', 'openapi'],
  ['stores', 'client'],
  ['migrations', 'observe'],
  ['sync', 'live'],
  ['bulk', 'webhooks'],
  ['http', 'prune'],
  ['runtime'],
  ['cli', 'testing'],
  ['app'],
] as const
const folders = floors.flat()
const floorOf = (folder: (typeof folders)[number]) => floors.findIndex((floor) => (floor as readonly string[]).includes(folder)) // biome-ignore format: one line

/** The client runs on phones, and knows the words and the wire alone. */
const mayImport = (from: (typeof folders)[number], to: (typeof folders)[number]) =>
  floorOf(to) < floorOf(from) && (from !== 'client' || to === 'model' || to === 'wire')

/** What the linter says of a project of these files, by file: the names of the rules. */
async function lint(files: Readonly<Record<string, string>>): Promise<Map<string, string[]>> {
  const { folder, drop } = await temporaryFolder()
  try {
    await writeFile(join(folder, 'biome.json'), JSON.stringify({ ...biome, $schema: undefined, vcs: undefined }))
    for (const [file, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await writeFile(join(folder, file), text)
    }
    const command = ['lint', '--reporter=json', '--max-diagnostics=none', '.']
    const run = promisify(execFile)(join(import.meta.dirname, '../../node_modules/.bin/biome'), command, {
      cwd: folder,
    })
    const { stdout } = await run.catch((error: { stdout: string }) => error)
    const said = new Map<string, string[]>()
    for (const { category, location } of JSON.parse(stdout).diagnostics) {
      const file = typeof location.path === 'string' ? location.path : location.path.file
      said.set(file, [...(said.get(file) ?? []), category])
    }
    return said
  } finally {
    await drop()
  }
}

it('the linter refuses every import from the same floor or a higher one, types too, and no other', async () => {
  const files: Record<string, string> = {}
  const forbidden: string[] = []
  for (const from of folders) {
    files[`src/${from}/leaf.ts`] = 'export type Leaf = string\n'
    for (const to of folders) {
      if (from === to) continue
      const file = `src/${from}/to-${to}.ts`
      files[file] = `import type { Leaf } from '../${to}/leaf.ts'\n\nexport const leaf: Leaf = ''\n`
      if (!mayImport(from, to)) forbidden.push(file)
    }
  }
  const said = await lint(files)
  expect([...said].map(([file, rules]) => `${file} ${rules}`).sort()).toEqual(
    forbidden.map((file) => `${file} lint/style/noRestrictedImports`).sort(),
  )
})

it('the linter refuses a circle of imports, types too', async () => {
  const said = await lint({
    'src/model/one.ts': "import type { Two } from './two.ts'\n\nexport type One = Two | 1\n",
    'src/model/two.ts': "import type { One } from './one.ts'\n\nexport type Two = One | 2\n",
  })
  expect(Object.fromEntries(said)).toEqual({
    'src/model/one.ts': ['lint/suspicious/noImportCycles'],
    'src/model/two.ts': ['lint/suspicious/noImportCycles'],
  })
})

it('no comment of the sources is wider than 100 columns', async () => {
  const files = (await readdir('src', { recursive: true })).filter((file) => file.endsWith('.ts'))
  const wide: string[] = []
  for (const file of files)
    for (const [line, text] of (await readFile(join('src', file), 'utf8')).split('\n').entries())
      if (text.length > 100 && /^\s*(\/\/(?! (biome-ignore|@ts-))|\/?\*)/.test(text))
        wide.push(`src/${file}:${line + 1}`)
  expect(wide).toEqual([])
})
