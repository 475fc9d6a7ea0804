import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import type { Schema } from '../model/table.ts'
import { type Database, type Databases, findDatabases } from '../runtime/node/databases.ts'
import { readDatabaseUrl } from '../stores/database-url.ts'
import type { Store } from '../stores/store.ts'
import { type Outcome, showProgress } from './progress.ts'

/** Options of the commands that go over every database. */
export const databaseOptions = {
  jobs: { type: 'string', default: '8', help: 'databases at once, 1 to 100' },
  scope: { type: 'string', multiple: true, help: 'only the database of this scope, where each has its own' },
  scopes: { type: 'string', help: 'a file with such a scope in each line, or - for standard input' },
} as const

export interface DatabaseArgs {
  readonly jobs: string
  readonly scope?: readonly string[]
  readonly scopes?: string
}

/** The databases that a command is for. */
export async function readDatabases(
  args: DatabaseArgs,
  schema: Schema,
): Promise<{ databases: Databases; list: readonly Database[]; jobs: number }> {
  const jobs = /^\d{1,3}$/.test(args.jobs) ? Number(args.jobs) : Number.NaN
  if (!(jobs >= 1 && jobs <= 100)) throw new TypeError('--jobs must be a whole number from 1 to 100')
  const databases = findDatabases(readDatabaseUrl(process.env), schema, process.env.DATABASE_AUTH_TOKEN)
  return { databases, list: await databases.list(await readScopes(args)), jobs }
}

/** A scope in each line: none holds a line break. */
async function readScopes({ scope = [], scopes }: DatabaseArgs): Promise<readonly string[] | undefined> {
  if (scopes === undefined) return scope.length > 0 ? scope : undefined
  const lines = scopes === '-' ? await text(process.stdin) : await readFile(scopes, 'utf8')
  return [...scope, ...lines.split(/\r?\n/).filter((line) => line !== '')]
}

/** Gives the lines to show; throws where it failed. */
export type Work = (store: Store) => Promise<Pick<Outcome, 'lines' | 'failed'>>

/**
 * Runs the work on each database, so many at once, and shows how far it is. Ctrl-C begins no more
 * and waits for what is under way; a second one ends at once. One that fails harms no other. Sets
 * the exit code, and is true where all went well.
 */
export async function eachDatabase(list: readonly Database[], jobs: number, work: Work): Promise<boolean> {
  const progress = showProgress(list.length)
  let stopped = false
  const stop = () => {
    stopped = true
  }
  process.once('SIGINT', stop)
  const outcomes: Outcome[] = []
  const rest = list.values()
  await Promise.all(
    Array.from({ length: Math.min(jobs, list.length) }, async () => {
      for (const database of rest) {
        const outcome = await runOne(database, work)
        outcomes.push(outcome)
        progress.step(outcome)
        // A file answers without leaving this thread: only here is Ctrl-C heard and the bar drawn.
        await setImmediate()
        if (stopped) return
      }
    }),
  )
  process.removeListener('SIGINT', stop)
  progress.end(outcomes)
  const failed = outcomes.filter((outcome) => outcome.failed).length
  if (failed > 0) process.exitCode = 1
  if (outcomes.length < list.length) {
    process.exitCode = 130
    console.error(`Stopped with ${outcomes.length} of ${list.length} databases done. Run it again for the others.`)
  }
  return failed === 0 && outcomes.length === list.length
}

async function runOne({ name, open }: Database, work: Work): Promise<Outcome> {
  try {
    const store = await open()
    try {
      return { name, ...(await work(store)) }
    } finally {
      await store.close()
    }
  } catch (error) {
    return { name, lines: [error instanceof Error ? error.message : String(error)], failed: true }
  }
}
