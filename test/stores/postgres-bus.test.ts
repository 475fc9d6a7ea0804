import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bus, postgresBus } from '../../src/live/node/postgres-bus.ts'
import { postgresFault } from '../../src/stores/fault.ts'
import { createDatabase } from '../support/stores.ts'

describe('the bus over Postgres', () => {
  let url = ''
  let admin: pg.Client
  const told: Record<'a' | 'b', string[]> = { a: [], b: [] }
  let a: Bus
  let b: Bus
  let pidOfA: number
  /** Losses by their code, returns by how long it was away. */
  const noted: (string | number)[] = []
  /** The connections that listen. */
  const pids = async () =>
    (
      await admin.query(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'driftline live' AND datname = current_database()",
      )
    ).rows.map(({ pid }) => pid as number)
  const until = async (done: () => boolean | Promise<boolean>) => {
    const deadline = Date.now() + 10_000
    while (!(await done())) {
      if (Date.now() > deadline) throw new Error('it does not come to pass')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  beforeAll(async () => {
    url = await createDatabase()
    admin = new pg.Client({ connectionString: url })
    await admin.connect()
    a = postgresBus(url, (scope, position) => told.a.push(`${scope} ${position}`), {
      lost: (error) => noted.push(postgresFault(error).code ?? ''),
      back: (awayMs) => noted.push(awayMs),
    })
    await a.ready
    pidOfA = (await pids())[0] as number
    b = postgresBus(url, (scope, position) => told.b.push(`${scope} ${position}`))
    await b.ready
  })
  afterAll(() => admin.end())

  it('holds one connection, and carries the pokes of a moment in one statement to the others, not to itself', async () => {
    expect(await pids()).toHaveLength(2)
    a.send('first', 1)
    for (let position = 1; position <= 1_000; position++) a.send(`s${position % 500}`, position)
    await until(() => told.b.length === 501)
    expect(told.b[0]).toBe('first 1')
    // Of each scope the greatest position, all by one commit: their order is that of the
    // statement's array.
    expect(told.b.slice(1)).toEqual(Array.from({ length: 500 }, (_, n) => `s${(n + 1) % 500} ${n + 501}`))
    expect(told.a).toEqual([])
  })

  it('sends what it could not send while its connection was away', async () => {
    told.b.length = 0
    await admin.query('SELECT pg_terminate_backend($1)', [pidOfA])
    await until(async () => !(await pids()).includes(pidOfA))
    a.send('kept', 1)
    a.send('kept', 7)
    await until(() => told.b.length > 0)
    expect(told.b.at(-1)).toBe('kept 7')
    b.send('back', 2)
    await until(() => told.a.includes('back 2'))
  })

  it('tells of a loss once, and once when it is back', async () => {
    await until(() => noted.length === 2)
    expect(noted).toEqual(['57P01', expect.any(Number)])
    expect(noted[1]).toBeGreaterThanOrEqual(50)
  })

  it('does not fail, nor wait, where there is no Postgres, and tells of it once', async () => {
    const lost: unknown[] = []
    const none = postgresBus('postgres://postgres@127.0.0.1:1/none', () => {}, {
      lost: (error) => lost.push(postgresFault(error).code),
      back: () => lost.push('back'),
    })
    none.send('lost', 1)
    await none.ready
    // Tried again several times meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    none.close()
    expect(lost).toEqual(['ECONNREFUSED'])
  })

  it('lets its connection go when it is closed', async () => {
    a.close()
    b.close()
    await until(async () => (await pids()).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await pids()).toEqual([])
    expect(noted).toHaveLength(2)
  })
})
