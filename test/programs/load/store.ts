import { startServer } from '../../support/server.ts'
import { growthOf, type MemoryGrowth, watchMemory } from './memory.ts'
import { type Played, type PlayOptions, play } from './play.ts'
import { checkClients, checkDatabase } from './rows.ts'
import { openWire } from './wire.ts'

export interface LoadOptions extends Pick<PlayOptions, 'seed' | 'seconds' | 'users' | 'onRound'> {
  /** An empty database. */
  readonly databaseUrl: string
  /** Done to the database before the checks, by a test of the checks. */
  readonly spoil?: (databaseUrl: string) => Promise<unknown>
}

export interface Outcome {
  readonly played: Played
  readonly memory: MemoryGrowth
  /**
   * Requests that failed, verdicts that should not have been given, values of another stamp, lines
   * of the log.
   */
  readonly errors: readonly string[]
  /** Rows and tombstones that must be stored. */
  readonly rows: number
  /** Rows that were acknowledged and are missing or older, or are there and were never sent. */
  readonly breaches: readonly string[]
}

/** The server that `npm start` runs, as a process of its own, and the load on it. */
export async function loadStore({ databaseUrl, spoil, ...options }: LoadOptions): Promise<Outcome> {
  const errors: string[] = []
  const server = await startServer({ DATABASE_URL: databaseUrl, LOG: 'errors' })
  try {
    if (server.url === '') throw new Error(`The server did not start:\n${server.output()}`)
    const wire = openWire(server.url)
    const watch = watchMemory(server.process.pid ?? 0)
    const played = await play({ ...options, wire, onError: (error) => errors.push(error) })
    const memory = growthOf(watch.stop(), played.roundMs)
    await spoil?.(databaseUrl)
    const breaches = await checkClients(wire, played)
    await wire.reopen(0)
    const code = await server.stop()
    if (code !== 0) errors.push(`the server ended with ${code}`)
    errors.push(
      ...server
        .output()
        .split('\n')
        .filter((line) => line !== '' && !/^(driftline listens|Migrated)/.test(line)),
    )
    breaches.push(...(await checkDatabase(databaseUrl, played)))
    const rows = played.ledgers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
    return { played, memory, errors, breaches, rows }
  } finally {
    await server.stop('SIGKILL')
  }
}
