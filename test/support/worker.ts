import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onceInRun } from './once.ts'
import { asProject, nodeArguments } from './scripts.ts'
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
 * The worker of wrangler.toml in real workerd, with the settings given and the tables of the tests'
 * project, whatever those of src/app are. `restart` keeps what its databases hold.
 */
export async function startWorker(secrets: Record<string, string> = {}, more: object = {}): Promise<Workerd> {
  return startBuilt(await onceInRun('worker', bundleProject), secrets, more)
}

/** The same as it is, with the tables of src/app. */
export async function startAppWorker(): Promise<Workerd> {
  return startBuilt(await onceInRun('worker-app', bundleApp), {}, {})
}

async function startBuilt(folder: string, secrets: Record<string, string>, more: object): Promise<Workerd> {
  const config = JSON.parse(await readFile(join(folder, 'ours.json'), 'utf8'))
  return start({ ...config, vars: { AUTH_SECRET: testSecret, ...secrets }, ...more }, folder)
}

/** A worker that is made for tests: a file of test/worker/. */
export async function startTestWorker(name: string, vars: Record<string, string>, more: object = {}): Promise<Workerd> {
  if ('assets' in more) await onceInRun('worker', bundleProject)
  const built = { name, main: `test/worker/${name}.ts` }
  const folder = await onceInRun(`worker-${name}`, (made) => bundle(made, built))
  return start({ ...built, vars, ...more }, folder)
}

/**
 * The worker as a deploy would upload it. wrangler.toml is read without its build command, which is
 * run in the project.
 */
async function bundleOurs(folder: string, project: string, entry?: string): Promise<void> {
  await run(process.execPath, nodeArguments('bundle'), { cwd: project })
  const { unstable_readConfig } = await import('wrangler')
  const { name, main: ofApp = '', ...rest } = unstable_readConfig({ config: `${root}wrangler.toml` })
  const { minify, keep_names, alias, assets, durable_objects } = rest
  const main = entry ?? ofApp
  const ours = { name, main, durable_objects, assets: { ...assets, directory: join(project, 'public') } }
  await writeFile(join(folder, 'ours.json'), JSON.stringify(ours))
  await bundle(folder, { name, main, minify, keep_names, alias })
}

const bundleProject = (folder: string) => bundleOurs(folder, asProject(root), 'test/support/project/worker.ts')
const bundleApp = (folder: string) => bundleOurs(folder, root)

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
