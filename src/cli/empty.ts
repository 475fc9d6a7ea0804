import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { bundleMigrations } from '../migrations/bundle.ts'
import { createTable, dialectNames } from '../migrations/ddl.ts'
import { generate } from '../migrations/generate.ts'
import { readNames } from '../migrations/read.ts'
import { defineSchema } from '../model/define-schema.ts'
import type { Schema } from '../model/table.ts'
import type { App } from './app.ts'

/** The config that `init` writes. */
export const sampleConfig = `import { boolean, byColumn, defineConfig, defineSchema, text } from 'driftline'

/**
 * Your tables. Of a table byColumn each column has a stamp of its own: of two edits of different
 * columns both stay. After a change: npx driftline generate --name what-changed, then npx driftline
 * migrate.
 */
export const schema = defineSchema({
  todos: byColumn({
    title: text(),
    done: boolean({ default: false }),
  }),
})

export default defineConfig({ schema })
`

export const emptyConfig = `import { defineConfig, defineSchema } from 'driftline'

/**
 * Your tables, such as { todos: byColumn({ title: text(), done: boolean({ default: false }) }) },
 * with byColumn and the types from 'driftline'. After a change: npx driftline generate --name
 * what-changed, then npx driftline migrate.
 */
export const schema = defineSchema({})

export default defineConfig({ schema })
`

/** The schema of driftline's own repository. */
const emptySchema = `import { defineSchema } from '../index.ts'

/**
 * Your tables: the one file to edit, such as \`{ todos: byColumn({ title: text(), done: boolean({
 * default: false }) }) }\`. Each also gets the columns scope, id, updated_at, updated_by, deleted,
 * position and created_position. After a change: \`npx driftline generate --name what-changed\`,
 * then \`npx driftline migrate\`.
 */
export const schema = defineSchema({})
`

/**
 * The tables of a project that nobody has changed: that of `init`, and this repository, which once
 * had fewer.
 */
const lists = 'lists(name) todos(title,done,priority,notes,amount,list_id)'
const samples = ['todos(title,done)', lists, `${lists} products(name,code,price,stock,seen_at,made_by,created_at)`]

/**
 * Takes the sample's tables and migrations away from a project that is still the sample, and gives
 * lines to print. Throws a `TypeError` where anything in it may be somebody's own, and has then
 * changed nothing.
 */
export async function emptyProject({ schema, file, migrations }: App): Promise<string[]> {
  if (schema.tables.length === 0) return [`${file} has no tables: nothing to do.`]
  const isOwn = `This project is not the sample any more: `
  if (!samples.includes(shapeOf(schema))) throw new TypeError(`${isOwn}take its tables out of ${file} yourself`)
  const isRepository = file.startsWith('src/app/')
  if (!isRepository && (await readFile(file, 'utf8')) !== sampleConfig)
    throw new TypeError(`${isOwn}somebody has edited ${file}. Take its tables out yourself`)
  for (const dialect of dialectNames) {
    const names = await readNames(dialect, migrations)
    const expected = `${schema.tables.flatMap((table) => createTable(table, dialect)).join(';\n\n')};\n`
    if (names.length === 0) continue
    const files = names.map((name) => readFile(new URL(`${dialect}/${name}.sql`, migrations), 'utf8'))
    // The tables of the sample have come by more than one.
    if ((await Promise.all(files)).join('\n') !== expected)
      throw new TypeError(`${isOwn}migrations/${dialect} holds more than the migrations of the sample`)
  }
  const rewritten = isRepository ? 'src/app/schema.ts' : file
  await writeFile(rewritten, isRepository ? emptySchema : emptyConfig)
  for (const dialect of dialectNames) {
    for (const name of await readNames(dialect, migrations)) await rm(new URL(`${dialect}/${name}.sql`, migrations))
  }
  await rm(new URL('schema.json', migrations), { force: true })
  const empty = defineSchema({})
  await generate(empty, { directory: migrations })
  await bundleMigrations(migrations)
  return [
    `Took the sample's tables out of ${rewritten}, and its migrations out of migrations/`,
    ...(existsSync('.driftline')
      ? ['Databases that the sample has been in have its tables still: for those of development delete .driftline/']
      : []),
    `Next: write your tables in ${rewritten}, then npx driftline generate --name tables`,
  ]
}

const shapeOf = ({ tables }: Schema) =>
  tables.map(({ name, columns }) => `${name}(${columns.map((column) => column.name).join()})`).join(' ')
