import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { buildPages } from './pages/build.ts'

/**
 * `npm run build`: makes dist/, which is what is published (`npm pack ./dist`): the compiled files
 * with their types, the pages, and a manifest of its own. This repository's has what only its development
 * needs, such as a Node of its own.
 */
const { name, version, description, license, dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))

/** Whoever uses one database installs its driver, and no other. */
const drivers = ['pg', 'libsql']
const isDriver = ([one]: [string, unknown]) => drivers.includes(one)
const entries = Object.entries<string>(dependencies)

const exported = {
  '.': 'index',
  './node': 'node',
  './fetch': 'runtime/fetch',
  './workers': 'worker',
  './workers/any-store': 'runtime/workers/store',
  './stores/postgres': 'stores/postgres/pool',
  './stores/postgres-edge': 'stores/postgres/edge',
  './stores/neon': 'stores/neon',
  './stores/libsql': 'stores/libsql/http',
  './stores/libsql-file': 'stores/libsql/file',
  './stores/d1': 'stores/d1',
  './stores/durable-object': 'stores/durable-object',
  './stores/own': 'stores/own',
  './stores/per-scope': 'stores/per-scope/per-scope',
  './live/postgres-bus': 'live/node/postgres-bus',
  './openapi': 'openapi/documents',
  './testing': 'testing/index',
  './webhooks/out': 'webhooks/out/send',
  './webhooks/supabase': 'webhooks/in/supabase',
  './webhooks/users': 'webhooks/in/users',
  './webhooks/timestamptz': 'model/timestamptz',
}

rmSync('dist', { recursive: true, force: true })
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
await buildPages()
const isTold = (path: string) => !/^\.|[/\\]\./.test(path)
for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE', 'docs', 'pages'])
  cpSync(file, `dist/${file}`, { recursive: true, filter: isTold })
cpSync('src/webhooks/in/supabase.sql', 'dist/webhooks/in/supabase.sql')
const manifest = {
  ...{ name, version, description, license },
  type: 'module',
  sideEffects: false,
  engines: { node: '>=20.20' },
  bin: { driftline: 'cli/main.js' },
  exports: Object.fromEntries(
    Object.entries(exported).map(([path, file]) => [path, { types: `./${file}.d.ts`, default: `./${file}.js` }]),
  ),
  dependencies: Object.fromEntries(entries.filter((one) => !isDriver(one)).map(([one, exact]) => [one, `^${exact}`])),
  peerDependencies: Object.fromEntries(entries.filter(isDriver).map(([one, exact]) => [one, `^${exact}`])),
  peerDependenciesMeta: Object.fromEntries(drivers.map((one) => [one, { optional: true }])),
}
writeFileSync('dist/package.json', `${JSON.stringify(manifest, null, 2)}\n`)
