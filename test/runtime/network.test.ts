import { randomInt } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { playNetwork } from '../programs/faults/network.ts'
import { createDatabase, temporaryFolder } from '../support/stores.ts'

describe('a network that breaks every connection', () => {
  const seed = Number(process.env.SEED ?? randomInt(2 ** 31))

  it('P2 P5 P13 P14 between client and server: nothing acknowledged is lost, nothing refused is stored', async () => {
    console.log(`SEED=${seed}`)
    const { folder, drop } = await temporaryFolder()
    const between = 'client and server'
    const outcome = await playNetwork({ databaseUrl: `file:${folder}/a.db`, between, seed, ms: 3_000 })
    await drop()
    expect(outcome.breaches).toEqual([])
    expect(outcome.played.failures).toBeGreaterThan(0)
    expect(outcome.played.applied.length).toBeGreaterThan(100)
  })

  it('P2 P5 P13 P14 between server and Postgres: the same, and the server answers again by itself', async () => {
    console.log(`SEED=${seed}`)
    const between = 'server and Postgres'
    const outcome = await playNetwork({ databaseUrl: await createDatabase(), between, seed, ms: 3_000 })
    expect(outcome.breaches).toEqual([])
    expect(outcome.played.failures).toBeGreaterThan(0)
    expect(outcome.played.applied.length).toBeGreaterThan(100)
    expect(outcome.output).not.toMatch(/INSERT|SELECT|w0-/)
  })
})
