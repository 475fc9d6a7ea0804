import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createTestHarness, type TestHarness, type TestHarnessOptions, unstable_readConfig } from 'wrangler'
import { nodeArguments } from './scripts.ts'
import { testSecret } from './server.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/**
 * The binding of a D1 database, which is beside the objects of wrangler.toml and is used before
 * them.
 */
export const localD1 = { d1_databases: [{ binding: 'DB', database_name: 'driftline', database_id: 'local' }] }

/**
 * The worker of wrangler.toml in real workerd, with the settings given. `restart` keeps what its
 * databases hold.
 */
export async function startWorker(secrets: Record<string, string> = {}, more: object = {}) {
  await bundle()
  const workers = [{ config: { ...ours(), vars: { AUTH_SECRET: testSecret, ...secrets }, ...more } }]
  const worker = await start({ workers })
  return { ...worker, restart: () => worker.update({ workers }) }
}

let bundled: Promise<unknown> | undefined

/** What a build of the worker needs, once for all of a file's workers. */
function bundle(): Promise<unknown> {
  bundled ??= promisify(execFile)(process.execPath, nodeArguments('bundle'), { cwd: root })
  return bundled
}

/**
 * wrangler.toml without its build command, which costs seconds and is needed once, not before every
 * worker.
 */
function ours(): object {
  const { main, assets, alias, durable_objects, migrations, triggers, ...rest } = unstable_readConfig({
    config: `${root}wrangler.toml`,
  })
  const { name, compatibility_date, compatibility_flags, minify, keep_names } = rest
  return {
    ...{ name, compatibility_date, compatibility_flags, minify, keep_names },
    ...{ main, assets, alias, durable_objects, migrations, triggers },
  }
}

/** A worker that is made for tests: a file of test/worker/. */
export async function startTestWorker(
  name: string,
  vars: Record<string, string>,
  more: object = {},
): Promise<TestHarness & { readonly url: URL }> {
  if ('assets' in more) await bundle()
  return start({ workers: [{ config: testWorker(name, vars, more) }] })
}

export function testWorker(name: string, vars: Record<string, string>, more: object = {}) {
  return {
    name,
    main: `test/worker/${name}.ts`,
    compatibility_date: '2026-10-23',
    compatibility_flags: ['nodejs_compat'],
    vars,
    ...more,
  }
}

async function start(options: TestHarnessOptions): Promise<TestHarness & { readonly url: URL }> {
  const harness = createTestHarness({ root, ...options })
  const { url } = await harness.listen()
  return { ...harness, url }
}
