import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { bundleMigrations } from '../migrations/bundle.ts'
import { generate } from '../migrations/generate.ts'
import { configFiles, type LoadApp } from './app.ts'
import { readArgs } from './command.ts'
import { emptyConfig, emptyProject, sampleConfig } from './empty.ts'

/**
 * `npx driftline init`: makes the folder a project: its tables, their first migration, and a
 * worker.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline init',
    does: 'Makes this folder a project: a config with a table, its first migration, and a worker for Cloudflare. Files that are there stay as they are.',
    more: 'Next: npx driftline start, with a database file of its own until DATABASE_URL says otherwise.',
  }
  const { workers, javascript, empty } = readArgs(help, {
    workers: { type: 'boolean', default: false, help: 'also writes a worker and its wrangler.toml' },
    empty: {
      type: 'boolean',
      default: false,
      help: 'without the sample table; in a project that is still the sample, takes its tables and migration away',
    },
    javascript: {
      type: 'boolean',
      default: !readsTypes,
      help: 'the config in JavaScript, where Node reads no TypeScript',
    },
  })
  const there = configFiles.find((file) => existsSync(file))
  if (there !== undefined && empty) {
    for (const line of await emptyProject(await loadApp())) console.log(line)
    return
  }
  if (there !== undefined)
    throw new TypeError(`${there} is there already: this is a project. Edit it, then npx driftline generate`)
  const end = `${(await isModule()) ? '' : 'm'}${javascript ? 'js' : 'ts'}`
  const wrote = [await write(`driftline.config.${end}`, empty ? emptyConfig : sampleConfig)]
  if (workers) wrote.push(await write(`worker.${end}`, worker(end)), await write('wrangler.toml', wrangler(end)))
  wrote.push(await ignore())
  const { schema, migrations } = await loadApp()
  if (!existsSync(migrations)) await generate(schema, { name: 'init', directory: migrations })
  await bundleMigrations(migrations)
  for (const line of [...wrote.filter((one) => one !== undefined), 'Wrote migrations/']) console.log(line)
  console.log(
    `Next: npm install libsql, then npx driftline start. ${empty ? 'Write your tables' : 'Your tables are'} in driftline.config.${end}.`,
  )
}

const readsTypes = 'typescript' in process.features && process.features.typescript !== false

/**
 * Whether files here are ES modules by the package they are in; where not, their names must say so.
 */
async function isModule(): Promise<boolean> {
  const text = await readFile('package.json', 'utf8').catch(() => '{}')
  return (JSON.parse(text) as { type?: string }).type === 'module'
}

/** Says what became of it. */
async function write(file: string, text: string): Promise<string | undefined> {
  return writeFile(file, text, { flag: 'wx' }).then(
    () => `Wrote ${file}`,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return `Left ${file} as it is`
      throw error
    },
  )
}

/**
 * The secret and the database of development belong to nobody else, and the rest is written anew.
 */
async function ignore(): Promise<string | undefined> {
  const lines = await readFile('.gitignore', 'utf8').catch(() => '')
  if (lines.split(/\r?\n/).includes('.driftline/')) return undefined
  await writeFile('.gitignore', `${lines}${lines === '' || lines.endsWith('\n') ? '' : '\n'}${ignored.join('\n')}\n`)
  return 'Added .driftline/ to .gitignore'
}

const ignored = ['.driftline/', '.wrangler/', 'public/openapi.json', 'public/docs/', 'public/reference/']

const worker = (end: string) => `import { createScopeObject, createWorker, openObjects } from 'driftline/workers'
import { schema } from './driftline.config.${end}'
import migrations from './migrations/sqlite.json' with { type: 'json' }

export { LiveObject } from 'driftline/workers'

/**
 * The database of one scope. For D1: openD1. For Postgres or libSQL: openAnyStore of
 * driftline/workers/any-store, and DATABASE_URL.
 */
export class ScopeObject extends createScopeObject({ schema, migrations }) {}

export default createWorker({ schema, openStore: openObjects })
`

const wrangler = (end: string) => `name = "driftline"
main = "worker.${end}"
compatibility_date = "2026-10-23"
compatibility_flags = ["nodejs_compat"]

[build]
command = "npx driftline bundle"
watch_dir = ["driftline.config.${end}", "migrations/sqlite"]

[assets]
directory = "./public"
binding = "ASSETS"
run_worker_first = true
html_handling = "none"

[[durable_objects.bindings]]
name = "SCOPES"
class_name = "ScopeObject"

[[durable_objects.bindings]]
name = "LIVE"
class_name = "LiveObject"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["ScopeObject", "LiveObject"]

[triggers]
crons = ["17 3 * * *"]
`
