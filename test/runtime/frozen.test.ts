import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'libsql'
import { afterEach, describe, expect, it } from 'vitest'
import { startPostgres } from '../support/postgres.ts'
import { idsOf, pushing, until } from '../support/pushing.ts'
import { type ServerProcess, startServer } from '../support/server.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'

/**
 * SIGSTOP and SIGCONT in the middle of pushes: a process that stands still for a while, as a paused
 * machine does.
 */
describe('a process that is frozen', () => {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean()
  })
  async function serve(DATABASE_URL: string): Promise<ServerProcess> {
    const server = await startServer({ DATABASE_URL })
    cleanups.push(() => {
      server.process.kill('SIGCONT')
      return server.stop('SIGKILL')
    })
    return server
  }
  const freeze = async ({ process }: ServerProcess, ms: number) => {
    process.kill('SIGSTOP')
    await sleep(ms)
    process.kill('SIGCONT')
  }
  type Writer = ReturnType<typeof pushing>
  const haveWritten = (writers: readonly Writer[], count: number) =>
    until(() => writers.every(({ acknowledged }) => acknowledged.length >= count))
  /**
   * Ends the writers: everything that was acknowledged is there, and nothing was refused but by a
   * 503.
   */
  async function check(writers: readonly Writer[], server: ServerProcess): Promise<void> {
    const outcomes = await Promise.all(writers.map((writer) => writer.stop()))
    const ids = await idsOf(server)
    for (const { acknowledged, refused } of outcomes) {
      expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
      expect([...refused].filter((status) => status !== 503)).toEqual([])
    }
    const { json } = await server.request('GET', '/v1/pull?limit=5000')
    const positions = json.changes.map(({ position }: { position: number }) => position)
    expect(new Set(positions).size).toBe(positions.length)
  }

  it.each(['libsql file', 'postgres'])(
    'P2 P13 a server on %s that stands still again and again loses nothing, and the other goes on meanwhile',
    async (name) => {
      const { folder, drop } = await temporaryFolder()
      cleanups.push(drop)
      const url = name === 'postgres' ? await createDatabase() : `file:${folder}/a.db`
      const frozen = await serve(url)
      const other = await serve(url)
      const writers = [pushing([frozen], 'a'), pushing([frozen], 'b'), pushing([other], 'c')]
      await haveWritten(writers, 40)
      for (let round = 0; round < 5; round++) {
        await freeze(frozen, 40 + round * 20)
        await sleep(round * 3)
      }
      const [, , others] = writers as [Writer, Writer, Writer]
      const before = others.acknowledged.length
      await haveWritten([others], before + 20)
      await haveWritten(writers, 80)
      await check(writers, frozen)
    },
  )

  it('P2 P13 a process that stands still with the lock of the file holds up pushes, and all are answered', async () => {
    const { folder, drop } = await temporaryFolder()
    cleanups.push(drop)
    const server = await serve(`file:${folder}/a.db`)
    const writers = ['a', 'b'].map((writer) => pushing([server], writer))
    await haveWritten(writers, 40)
    const holder = new Database(`${folder}/a.db`, { timeout: 2_000 })
    for (let round = 1; round <= 3; round++) {
      holder.exec('BEGIN IMMEDIATE')
      await sleep(250)
      holder.exec('ROLLBACK')
      await haveWritten(writers, 40 + round * 20)
    }
    holder.close()
    const outcomes = await Promise.all(writers.map((writer) => writer.stop()))
    for (const { refused } of outcomes) expect([...refused]).toEqual([])
    await check(writers, server)
  })

  it('P2 P13 Postgres stands still in the middle of pushes: they wait, and all are answered', async () => {
    const postgres = await startPostgres()
    cleanups.push(() => postgres.stop())
    const server = await serve(await postgres.createDatabase())
    const writers = ['a', 'b', 'c'].map((writer) => pushing([server], writer))
    await haveWritten(writers, 40)
    const signal = (name: NodeJS.Signals) => {
      const backends = execFileSync('ps', ['-o', 'pid=', '--ppid', String(postgres.pid)], { encoding: 'utf8' })
      // The postmaster last: it would take a backend that it sees stopped for one that is.
      for (const pid of backends.trim().split(/\s+/).map(Number)) process.kill(pid, name)
      process.kill(postgres.pid, name)
    }
    for (let round = 0; round < 2; round++) {
      signal('SIGSTOP')
      const stopped = writers.map(({ acknowledged }) => acknowledged.length)
      await sleep(200)
      // One answer of each may have been on its way.
      for (const [n, { acknowledged }] of writers.entries())
        expect(acknowledged.length - (stopped[n] ?? 0)).toBeLessThanOrEqual(20)
      signal('SIGCONT')
      await haveWritten(writers, 40 + (round + 1) * 20)
    }
    const outcomes = await Promise.all(writers.map((writer) => writer.stop()))
    for (const { refused } of outcomes) expect([...refused]).toEqual([])
    await check(writers, server)
  })
})
