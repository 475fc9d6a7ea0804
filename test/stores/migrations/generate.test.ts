import { spawnSync } from 'node:child_process'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { schema as app } from '../../../src/app/schema.ts'
import { migrate } from '../../../src/migrations/apply.ts'
import { check } from '../../../src/migrations/check.ts'
import { generate } from '../../../src/migrations/generate.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { integer, json, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { sampleMigrations } from '../../support/migrations.ts'
import { schema as sample } from '../../support/schema.ts'
import { dialectStores } from '../../support/stores.ts'
import { emptyDirectory, openEmpty } from './databases.ts'

const first = defineSchema({ todos: { title: text(), notes: text({ nullable: true }) } })

let directory: URL
let drop: () => Promise<void>
beforeEach(async () => {
  ;({ directory, drop } = await emptyDirectory())
})
afterEach(() => drop())

const read = (file: string) => readFile(new URL(file, directory), 'utf8')
/** All files and what they hold. */
async function contents(): Promise<Record<string, string>> {
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((file) => file.isFile())
  const paths = files.map(({ parentPath, name }) => join(relative(fileURLToPath(directory), parentPath), name))
  return Object.fromEntries(await Promise.all(paths.toSorted().map(async (path) => [path, await read(path)])))
}

describe('generate', () => {
  it('writes the first pair, the next, and nothing where there is nothing new', async () => {
    expect(await generate(first, { name: 'init', directory })).toEqual([
      'Wrote migrations/postgres/0001_init.sql',
      'Wrote migrations/sqlite/0001_init.sql',
      'Read them, commit them with migrations/schema.json, and run npx driftline migrate.',
    ])
    expect(await generate(first, { directory })).toEqual(['The migrations lead to the schema already: nothing to do.'])
    const second = defineSchema({
      todos: {
        title: text(),
        notes: text({ nullable: true }),
        stars: integer({ default: 3 }),
        tags: json({ nullable: true }),
      },
      lists: { name: text() },
    })
    await generate(second, { name: 'add-lists-2', directory })
    expect(
      await read('postgres/0002_add-lists-2.sql'),
    ).toBe(`ALTER TABLE "todos" ADD COLUMN "stars" bigint DEFAULT 3 CHECK (deleted OR "stars" IS NOT NULL);

ALTER TABLE "todos" ADD COLUMN "tags" json;

CREATE TABLE "lists" (
  scope text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  updated_at bigint NOT NULL,
  updated_by text COLLATE "C" NOT NULL,
  deleted boolean NOT NULL,
  position bigint NOT NULL,
  created_position bigint NOT NULL,
  "name" text CHECK (deleted OR "name" IS NOT NULL),
  PRIMARY KEY (scope, id)
);

CREATE INDEX "lists_position" ON "lists" (scope, position);

CREATE INDEX "lists_position_living" ON "lists" (scope, position, deleted) WHERE NOT deleted;

-- driftline: touch todos
`)
    expect(
      await read('sqlite/0002_add-lists-2.sql'),
    ).toBe(`ALTER TABLE "todos" ADD COLUMN "stars" INTEGER DEFAULT 3 CHECK (deleted OR "stars" IS NOT NULL);

ALTER TABLE "todos" ADD COLUMN "tags" TEXT;

CREATE TABLE "lists" (
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  position INTEGER NOT NULL,
  created_position INTEGER NOT NULL,
  "name" TEXT CHECK (deleted OR "name" IS NOT NULL),
  PRIMARY KEY (scope, id)
) STRICT;

CREATE INDEX "lists_position" ON "lists" (scope, position);

CREATE INDEX "lists_position_living" ON "lists" (scope, position, deleted) WHERE NOT deleted;

-- driftline: touch todos
`)
    expect(await generate(second, { name: 'again', directory })).toEqual([
      'The migrations lead to the schema already: nothing to do.',
    ])
    for (const name of dialectStores) {
      const { store, close } = await openEmpty(name)
      expect(await migrate(store, await readMigrations(store.dialect.name, directory))).toEqual([
        'driftline/0001_tables',
        'driftline/0002_adds',
        '0001_init',
        '0002_add-lists-2',
      ])
      expect(await check(store, second)).toEqual([])
      await close()
    }
  })

  it('records a change of a default or of a rule that only the server knows, without SQL', async () => {
    const before = defineSchema({ todos: { title: text({ default: 'a' }), stars: integer() } })
    await generate(before, { name: 'init', directory })
    for (const after of [
      defineSchema({ todos: { title: text({ default: 'b' }), stars: integer({ default: 1 }) } }),
      defineSchema({ todos: { stars: integer({ default: 1 }), title: text() } }),
    ]) {
      expect(await generate(after, { directory })).toEqual([
        'Recorded a change that only the server needs to know: there is no SQL to write.',
      ])
      expect(await generate(after, { directory })).toEqual([
        'The migrations lead to the schema already: nothing to do.',
      ])
    }
    const ruled = defineSchema({
      todos: { stars: integer({ default: 1 }), title: text({ maxLength: 5, oneOf: ['x'] }) },
    })
    expect(await generate(ruled, { directory })).toEqual(['The migrations lead to the schema already: nothing to do.'])
  })

  it('refuses a new column that is required, says what to do, and writes nothing', async () => {
    await generate(first, { name: 'init', directory })
    const before = await contents()
    const after = defineSchema({ todos: { title: text(), due: text(), stars: integer() } })
    await expect(generate(after, { name: 'next', directory })).rejects.toThrow(
      new TypeError(
        ['due', 'stars']
          .map(
            (name) =>
              `todos.${name} is new and required, and the rows that exist have no value for it: give it a default, or nullable: true.`,
          )
          .join('\n'),
      ),
    )
    expect(await contents()).toEqual(before)
  })

  it('accepts what was written by hand, and goes on from there', async () => {
    await generate(first, { name: 'init', directory })
    const after = defineSchema({ todos: { title: text() } })
    for (const dialect of ['postgres', 'sqlite']) {
      await writeFile(new URL(`${dialect}/0002_drop.sql`, directory), 'ALTER TABLE todos DROP COLUMN notes;\n')
    }
    expect(await generate(after, { accept: true, directory })).toEqual([
      'Recorded the schema in migrations/schema.json.',
    ])
    expect(await generate(after, { directory })).toEqual(['The migrations lead to the schema already: nothing to do.'])
    await generate(defineSchema({ todos: { title: text(), stars: integer({ nullable: true }) } }), {
      name: 'stars',
      directory,
    })
    expect(await readdir(new URL('sqlite', directory))).toEqual(['0001_init.sql', '0002_drop.sql', '0003_stars.sql'])
  })

  it.each([
    [{ name: 'Add' }, '--name must be of a to z, 0 to 9 and -, for example add-notes'],
    [{ name: '' }, '--name must be of a to z, 0 to 9 and -, for example add-notes'],
    [{ name: '../x' }, '--name must be of a to z, 0 to 9 and -, for example add-notes'],
    [{}, 'Say what changes: npx driftline generate --name add-notes'],
    [{ accept: true, name: 'a' }, '--accept writes no migration and takes no --name'],
  ])('refuses %j', async (options, message) => {
    await expect(generate(first, { ...options, directory })).rejects.toThrow(new TypeError(message))
    expect(await contents()).toEqual({})
  })

  it('refuses folders that do not go together', async () => {
    await generate(first, { name: 'init', directory })
    await writeFile(new URL('sqlite/0002_lone.sql', directory), '')
    await expect(generate(first, { directory })).rejects.toThrow(
      new TypeError('migrations/sqlite/0002_lone.sql has no partner: write migrations/postgres/0002_lone.sql'),
    )
    await rm(new URL('sqlite/0002_lone.sql', directory))
    for (const text of [
      '{',
      '[1]',
      '[\n["todos","title",{}]\n]\n',
      '[["todos","title"]]',
      '""',
      '{"todos":{"title":{}}}',
    ]) {
      await writeFile(new URL('schema.json', directory), text)
      await expect(generate(first, { directory })).rejects.toThrow(
        new TypeError('migrations/schema.json cannot be read: put back the version that npx driftline generate wrote'),
      )
    }
    await rm(new URL('schema.json', directory))
    await expect(generate(first, { name: 'x', directory })).rejects.toThrow(/^migrations\/schema\.json is missing: /)
    await generate(first, { accept: true, directory })
    expect(await generate(first, { directory })).toEqual(['The migrations lead to the schema already: nothing to do.'])
  })
})

it('the migrations of this repository, and of the tests’ project, lead to their schemas', async () => {
  const nothing = ['The migrations lead to the schema already: nothing to do.']
  expect(await generate(app)).toEqual(nothing)
  expect(await generate(sample, { directory: sampleMigrations })).toEqual(nothing)
})

it('npx driftline generate answers a wrong option with a sentence and no stack', () => {
  const script = new URL('../../../src/cli/main.ts', import.meta.url).pathname
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, 'generate', '--nme', 'x'], {
    encoding: 'utf8',
  })
  expect([status, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^Unknown option '--nme'.*\n$/)
})
