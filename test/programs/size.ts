import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { readArgs, runCommand } from '../../src/cli/command.ts'

const run = promisify(execFile)

/**
 * Bytes of gzip, as a worker is uploaded: no worker may grow further. A worker of one store should
 * have 100,000: those of libSQL and Durable Objects had, until what merges was imported in bulk and
 * tables could be adopted. Behind Hyperdrive the protocol, the socket and the login of `pg` have
 * 10,000.
 */
const bytesMax = { every: 130_500, one: 105_000, D1: 106_000, Neon: 106_600, 'Postgres behind Hyperdrive': 115_900 }

/** A worker that opens one store, as someone's own project has it. */
const single = (
  imports: string,
  openStore: string,
) => `import { createScopeObject, createWorker } from '../../../src/worker.ts'
import migrations from '../../../migrations/sqlite.json' with { type: 'json' }
import { schema } from '../../../src/app/schema.ts'
${imports}
export { LiveObject } from '../../../src/worker.ts'
${openStore.startsWith('openObjects') ? 'export class ScopeObject extends createScopeObject({ schema, migrations }) {}' : ''}
export default createWorker({ schema, openStore: ${openStore} })
`

const workers: Readonly<Record<string, string>> = {
  'Durable Objects': single("import { openObjects } from '../../../src/worker.ts'", 'openObjects'),
  D1: single("import { openD1 } from '../../../src/worker.ts'", '(env) => openD1(env, { schema, migrations })'),
  Neon: single(
    "import { neonStore } from '../../../src/stores/neon.ts'",
    "({ DATABASE_URL = '' }) => neonStore(DATABASE_URL)",
  ),
  'libSQL over HTTP': single(
    "import { libsqlUrlStore } from '../../../src/stores/libsql/http.ts'",
    "({ DATABASE_URL = '' }) => libsqlUrlStore(DATABASE_URL)",
  ),
  'Postgres behind Hyperdrive': single(
    "import { postgresEdgeStore } from '../../../src/stores/postgres/edge.ts'",
    "({ HYPERDRIVE }) => postgresEdgeStore(HYPERDRIVE?.connectionString ?? '')",
  ),
}

/** `npm run size`: builds workers as a deploy would, and fails where one has grown too large. */
await runCommand(async () => {
  readArgs(
    {
      name: 'npm run size',
      does: 'Builds the worker of this repository, and one for each store alone, as a deploy would, and fails where one has grown too large.',
    },
    {},
  )
  // Below the repository, where what the workers import is found.
  await mkdir('node_modules/.cache', { recursive: true })
  const folder = await mkdtemp(resolve('node_modules/.cache/size-'))
  try {
    // What a build of the worker fills weighs nothing, but must be there.
    await mkdir('public', { recursive: true })
    const toml = await readFile('wrangler.toml', 'utf8')
    const all = [['every store', undefined, bytesMax.every] as const, ...Object.entries(workers).map(([name, code]) => [name, code, bytesMax[name as keyof typeof bytesMax] ?? bytesMax.one] as const)] // biome-ignore format: one line
    const tooLarge: string[] = []
    for (const [name, code, most] of all) {
      const bytes = await sizeOf(folder, toml, code)
      console.log(`The worker with ${name} has ${bytes} bytes of gzip, of ${most} at the most.`)
      if (bytes > most) tooLarge.push(name)
    }
    if (tooLarge.length > 0)
      throw new Error(
        `Too large is the worker with ${tooLarge.join(', ')}: see what weighs with wrangler deploy --metafile.`,
      )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

/** The bytes of the worker of wrangler.toml, with another module in the place of its own. */
async function sizeOf(folder: string, toml: string, code: string | undefined): Promise<number> {
  const config = join(folder, 'wrangler.toml')
  const main = code === undefined ? '../../../src/app/worker.ts' : 'worker.ts'
  if (code !== undefined) await writeFile(join(folder, 'worker.ts'), code)
  const moved = toml
    .replace(/^main = .*$/m, `main = "${main}"`)
    .replace('"./public"', '"../../../public"')
    .replace(/^\[build\]\ncommand = .*\nwatch_dir = .*\n/m, '')
  // Who has another store binds no class of scopes.
  const bound = /class ScopeObject|^undefined$/.test(String(code))
    ? moved
    : moved.replace(/^\[\[durable_objects\.bindings\]\]\nname = "SCOPES"\n.*\n/m, '').replace('"ScopeObject", ', '')
  await writeFile(config, bound)
  const wrangler = fileURLToPath(new URL('bin/wrangler.js', import.meta.resolve('wrangler/package.json')))
  await run(process.execPath, [wrangler, 'deploy', '--dry-run', '--config', config, '--outdir', join(folder, 'out')], {
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_WRITE_LOGS: 'false' },
  })
  return gzipSync(await readFile(join(folder, 'out/worker.js')), { level: 9 }).length
}
