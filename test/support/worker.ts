import { fileURLToPath } from 'node:url'
import { createTestHarness, type TestHarness, type TestHarnessOptions } from 'wrangler'
import { testSecret } from './server.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The worker of wrangler.toml in real workerd, with the settings given. */
export async function startWorker(secrets: Record<string, string> = {}): Promise<TestHarness & { readonly url: URL }> {
  return start({ workers: [{ configPath: 'wrangler.toml', secrets: { AUTH_SECRET: testSecret, ...secrets } }] })
}

/** A worker that is made for tests: a file of test/worker/. */
export async function startTestWorker(
  name: string,
  vars: Record<string, string>,
  more: object = {},
): Promise<TestHarness & { readonly url: URL }> {
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
