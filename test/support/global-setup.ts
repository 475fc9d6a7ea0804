import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startPostgres } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgresUrl: string
  }
}

/**
 * It ends with the run, and nothing kills it: what makes it durable would only cost. Databases are
 * too many to vacuum.
 */
const settings = {
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
}

/** One real Postgres for the whole run; each suite takes a database of its own from it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-run-'))
  // What the processes of the run share: see once.ts.
  process.env.TEST_RUN_FOLDER = folder
  const postgres = await startPostgres({ settings })
  project.provide('postgresUrl', postgres.url)
  return async () => {
    await rm(folder, { recursive: true, force: true })
    await postgres.stop()
  }
}
