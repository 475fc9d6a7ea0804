import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onceInRun } from './once.ts'
import { nodeArguments } from './scripts.ts'
import { testSecret } from './server.ts'
import { startWorkerd, type Workerd } from './workerd.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)

/** What a wrangler.toml says of a worker, as far as these tests use it. */
interface WorkerConfig {
  readonly name: string
  readonly main: string
  readonly vars: Record<string, string>
  readonly durable_objects?: { readonly bindings: readonly { readonly name: string; readonly class_name: string }[] }
  readonly d1_databases?: readonly { readonly binding: string; readonly database_id: string }[]
  readonly hyperdrive?: readonly { readonly binding: string; readonly localConnectionString: string }[]
  readonly assets?: {
    readonly directory: string
    readonly binding: string
    readonly run_worker_first: boolean
    readonly html_handling: string
  }
}

/**
 * The binding of a D1 database, which is beside the objects of wrangler.toml and is used before
 * them.
 */
export const localD1 = { d1_databases: [{ binding: 'DB', database_name: 'driftline', database_id: 'local' }] }

/**
 * The worker of wrangler.toml in real workerd, with the settings given. `restart` keeps what its
 * databases hold.
 */
export async function startWorker(secrets: Record<string, string> = {}, more: object = {}): Promise<Workerd> {
  const folder = await onceInRun('worker', bundleOurs)
  const config = JSON.parse(await readFile(join(folder, 'ours.json'), 'utf8'))
  return start({ ...config, vars: { AUTH_SECRET: testSecret, ...secrets }, ...more }, folder)
}

/** A worker that is made for tests: a file of test/worker/. */
export async function startTestWorker(name: string, vars: Record<string, string>, more: object = {}): Promise<Workerd> {
  if ('assets' in more) await onceInRun('worker', bundleOurs)
  const built = { name, main: `test/worker/${name}.ts` }
  const folder = await onceInRun(`worker-${name}`, (made) => bundle(made, built))
  return start({ ...built, vars, ...more }, folder)
}

/**
 * The worker as a deploy would upload it. wrangler.toml is read without its build command, which is
 * run here.
 */
async function bundleOurs(folder: string): Promise<void> {
  await run(process.execPath, nodeArguments('bundle'), { cwd: root })
  const { unstable_readConfig } = await import('wrangler')
  const { name, main = '', ...rest } = unstable_readConfig({ config: `${root}wrangler.toml` })
  const { minify, keep_names, alias, assets, durable_objects } = rest
  await writeFile(join(folder, 'ours.json'), JSON.stringify({ name, main, assets, durable_objects }))
  await bundle(folder, { name, main, minify, keep_names, alias })
}

/** Of a wrangler.toml what the code of a worker depends on. */
interface BuildConfig {
  readonly name?: string | undefined
  readonly main: string
  readonly minify?: boolean | undefined
  readonly keep_names?: boolean | undefined
  readonly alias?: Record<string, string> | undefined
}

async function bundle(folder: string, { main, ...config }: BuildConfig): Promise<void> {
  const file = join(folder, 'wrangler.json')
  const dated = { compatibility_date: '2026-10-23', compatibility_flags: ['nodejs_compat'] }
  await writeFile(file, JSON.stringify({ ...config, ...dated, main: resolve(root, main) }))
  const wrangler = fileURLToPath(new URL('bin/wrangler.js', import.meta.resolve('wrangler/package.json')))
  const args = [wrangler, 'deploy', '--dry-run', '--config', file, '--outdir', join(folder, 'out')]
  await run(process.execPath, args, {
    env: { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_WRITE_LOGS: 'false' },
  })
}

async function start(config: WorkerConfig, folder: string): Promise<Workerd> {
  const { name, main, vars, durable_objects, d1_databases, hyperdrive, assets } = config
  const byBinding = <One, Value>(all: readonly One[] | undefined, entry: (one: One) => readonly [string, Value]) =>
    Object.fromEntries((all ?? []).map(entry))
  return startWorkerd({
    name,
    code: await readFile(join(folder, 'out', `${basename(main, '.ts')}.js`), 'utf8'),
    bindings: vars,
    durableObjects: byBinding(durable_objects?.bindings, (one) => [
      one.name,
      { className: one.class_name, useSQLite: true } as const,
    ]),
    more: {
      d1Databases: byBinding(d1_databases, ({ binding, database_id }) => [binding, database_id]),
      hyperdrives: byBinding(hyperdrive, ({ binding, localConnectionString }) => [binding, localConnectionString]),
      ...(assets && {
        assets: {
          ...{ directory: resolve(root, assets.directory), binding: assets.binding },
          routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: assets.run_worker_first },
          assetConfig: { html_handling: assets.html_handling },
        },
      }),
    },
  })
}
