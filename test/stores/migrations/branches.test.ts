import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { migrate } from '../../../src/migrations/apply.ts'
import { bundleMigrations } from '../../../src/migrations/bundle.ts'
import { check } from '../../../src/migrations/check.ts'
import { generate } from '../../../src/migrations/generate.ts'
import type { Migration } from '../../../src/migrations/migration.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { formatSnapshot, parseSnapshot, takeSnapshot } from '../../../src/migrations/snapshot.ts'
import { integer, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { openEmptyStore } from '../../support/stores.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const [todos, tags, notes] = [{ title: text() }, { word: text() }, { word: text(), body: text({ nullable: true }) }]
const more = { ...todos, stars: integer({ default: 0 }) }
const other = { ...todos, place: text({ nullable: true }) }

let folder: string
let drop: () => Promise<void>
let directory: URL
beforeEach(async () => {
  ;({ folder, drop } = await temporaryFolder())
  directory = pathToFileURL(join(folder, 'migrations/'))
  await mkdir(directory)
  await git('init', '-b', 'main')
})
afterEach(() => drop())

const git = (...words: string[]) =>
  promisify(execFile)('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...words], { cwd: folder })

/** What a developer does who has changed the schema, and the worker's build. */
async function develop(tables: Parameters<typeof defineSchema>[0], name: string): Promise<void> {
  await generate(defineSchema(tables), { name, directory })
  await bundleMigrations(directory)
  await git('add', '-A')
  await git('commit', '-m', name)
}

const readFileOf = (file: string) => readFile(new URL(file, directory), 'utf8')

it.each([
  ['adds a table', { todos }, { todos, tags }, { todos, notes }, { todos, tags, notes }],
  ['adds a column of one table', { todos }, { todos: more }, { todos: other }, { todos: { ...more, ...other } }],
  ['adds a table and a column', { todos }, { todos: more, tags }, { notes, todos: other }, { todos: { ...more, ...other }, tags, notes }], // biome-ignore format: one line
  ['adds the first table', {}, { tags }, { notes }, { tags, notes }],
])('two branches of which each %s merge without a conflict', async (_, before, one, two, both) => {
  await (Object.keys(before).length > 0
    ? develop(before, 'init')
    : generate(defineSchema({}), { directory })
        .then(() => git('add', '-A'))
        .then(() => git('commit', '-m', 'init')))
  await git('checkout', '-b', 'two')
  await develop(two, 'two')
  await git('checkout', 'main')
  await develop(one, 'one')
  await git('merge', '--no-edit', 'two')

  const merged = parseSnapshot(await readFileOf('schema.json'))
  const lines = (snapshot: typeof merged) => formatSnapshot(snapshot).split(/\n,?/).sort()
  expect(lines(merged)).toEqual(lines(takeSnapshot(defineSchema(both))))
  const bundled: Migration[] = JSON.parse(await readFileOf('sqlite.json'))
  expect(bundled.map(({ name }) => name.slice(5))).toEqual(expect.arrayContaining(['one', 'two']))

  // Both have one number, and their order is anyone's guess: a person gives one the next.
  const opened = await openEmptyStore('libsql file')
  await expect(migrate(opened.store, await readMigrations('sqlite', directory))).rejects.toThrow('have one number')
  for (const dialect of ['postgres', 'sqlite']) {
    const files = await readdir(new URL(`${dialect}/`, directory))
    const file = files.find((name) => name.endsWith('_two.sql')) ?? ''
    const next = `${String(Number(file.slice(0, 4)) + 1).padStart(4, '0')}_two.sql`
    await rename(new URL(`${dialect}/${file}`, directory), new URL(`${dialect}/${next}`, directory))
  }
  await migrate(opened.store, await readMigrations('sqlite', directory))
  expect(await check(opened.store, defineSchema(both))).toEqual([])
  await opened.close()
  expect((await generate(defineSchema(both), { directory })).join()).toMatch(/nothing to do|only the server/)
  await bundleMigrations(directory)
  expect(JSON.parse(await readFileOf('sqlite.json'))).toEqual(await readMigrations('sqlite', directory))
})

it('two branches that say something else of a column are told so', async () => {
  await develop({ todos }, 'init')
  await git('checkout', '-b', 'two')
  await develop({ todos: { ...todos, stars: integer({ default: 1 }) } }, 'two')
  await git('checkout', 'main')
  await develop({ todos: { ...todos, stars: integer({ default: 2 }) } }, 'one')
  await git('merge', '--no-edit', 'two')
  await expect(generate(defineSchema({ todos }), { directory })).rejects.toThrow(
    'migrations/schema.json has two lines for todos.stars, of two branches',
  )
})

it('leaves a .gitattributes of the folder as it is, and reads the file of an earlier version', async () => {
  await writeFile(new URL('.gitattributes', directory), '# mine\n')
  await writeFile(
    new URL('schema.json', directory),
    JSON.stringify({ todos: { title: { type: 'text', nullable: false } } }, null, 2),
  )
  await generate(defineSchema({ todos: more }), { name: 'stars', directory })
  expect(await readFileOf('.gitattributes')).toBe('# mine\n')
  expect(await readFileOf('schema.json')).toBe(
    '[\n["todos","title",{"type":"text","nullable":false}]\n,["todos","stars",{"type":"integer","nullable":false,"default":0}]\n]\n',
  )
  expect(await readdir(new URL('sqlite/', directory))).toEqual(['0001_stars.sql'])
})
