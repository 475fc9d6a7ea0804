import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import { startPostgres } from '../../support/postgres.ts'
import { postgresByHand } from './by-hand.ts'
import { stored, webhookFigure } from './libsql.ts'
import { type Figure, faster, inPairs, wallMs, within } from './measure.ts'
import { createTablesIn, driftline, id, pulls, pushes, row } from './subject.ts'

/**
 * On a real Postgres over TCP: processor time of client and server together, against a statement
 * per row and against COPY.
 */
export async function postgresFigures(report: (figure: Figure) => void): Promise<void> {
  const postgres = await startPostgres()
  const open = async () => {
    const url = await postgres.createDatabase()
    const store = postgresStore(url)
    await createTablesIn(store)
    return { store, pool: new pg.Pool({ connectionString: url }) }
  }
  const closing: { store: { close(): Promise<void> }; pool: pg.Pool }[] = []
  const opened = async () => {
    const one = await open()
    closing.push(one)
    return one
  }
  /** Of so many repetitions that the server's clock ticks of ten milliseconds do not matter. */
  const cpuMs = (times: number) => async (run: () => Promise<unknown>) => {
    const began = cpu(postgres.pid)
    await run()
    return (cpu(postgres.pid) - began) / times
  }

  const fill = async (pool: pg.Pool, count: number) => {
    await pool.query(
      `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('alice', 'bench', ${count}, 0, 300)`,
    )
    await pool.query(
      `INSERT INTO todos SELECT 'alice', '0193f0a0-7c4e-7d7e-9f3a-' || lpad(((n::bigint * 7919) % ${count})::text, 12, '0'), 1000000000000000, 'bench', false, n + 1, n + 1, 'Buy ' || n || ' litres of milk', false, 1, CASE WHEN n % 2 = 1 THEN 'from the shop' END, n / 100.0, 'a1b2c3d4' FROM generate_series(0, ${count - 1}) AS n`,
    )
  }
  /**
   * A scope of so many rows, as a database has them after a while: in order, vacuumed and analyzed.
   */
  const filled = async (count: number) => {
    const one = await opened()
    await fill(one.pool, count)
    await one.pool.query('VACUUM ANALYZE todos')
    return one
  }
  /**
   * A scope of 25,000 rows that came after twenty others were analyzed, with twelve times as many;
   * `known` if it has been since.
   */
  const besideOthers = async (known: boolean) => {
    const { store, pool } = await opened()
    await pool.query('ALTER TABLE todos SET (autovacuum_enabled = off)')
    await pool.query(
      `INSERT INTO todos SELECT 'other' || n % 20, 'id' || n, 1, 'bench', false, n, n, 'title', false, 1 FROM generate_series(1, 300000) AS n`,
    )
    await pool.query('VACUUM ANALYZE todos')
    await fill(pool, 25_000)
    if (known) await pool.query('VACUUM ANALYZE todos')
    return driftline(store)
  }

  const [a, b, c] = [await opened(), await opened(), await opened()]
  const [ours, theirs] = [driftline(a.store), postgresByHand(b.pool)]
  const rows = await inPairs(
    7,
    cpuMs(5),
    pushes(ours, 1000, 'lost', { times: 5 }),
    pushes(theirs, 1000, 'lost', { times: 5 }),
  )
  report(faster('Postgres: processor time of 1,000 changes, losers returned, against a statement per row', rows, 8))
  for (const [count, target, times] of [
    [1000, 3.5, 15],
    [5000, 3, 4],
  ] as const) {
    const copy = await inPairs(9, cpuMs(times), pushes(ours, count, 'lost', { times, fresh: true }), {
      prepare: () => {},
      run: async () => {
        for (let time = 0; time < times; time++) await copyRows(c.pool, count)
      },
    })
    report(within(`Postgres: processor time of ${count} changes, losers returned, against a raw COPY`, copy, target))
  }
  const d = await filled(10_000)
  const page = await inPairs(41, wallMs, pulls(driftline(d.store)), pulls(postgresByHand(d.pool)))
  report(faster('Postgres: a page of 1,000 rows', page, 1.2))
  report(await webhookFigure('Postgres', driftline((await opened()).store)))
  const flat = await inPairs(15, wallMs, pushes(ours, 5000, 'lost'), pushes(ours, 1000, 'lost'))
  report(
    within(
      'Postgres: cost of a change, in sets of 5,000 against 1,000',
      { ours: flat.ours.map((cost) => cost / 5), theirs: flat.theirs },
      1.3,
    ),
  )
  const surprise = await inPairs(
    9,
    wallMs,
    pushes(await besideOthers(false), 1000, 'lost'),
    pushes(await besideOthers(true), 1000, 'lost'),
  )
  report(
    within(
      'Postgres: a push of 1,000 changes to a scope that the statistics do not know, against one that they do',
      surprise,
      1.5,
    ),
  )
  report(await stored('Postgres', async (count) => driftline((await filled(count)).store)))
  for (const { store, pool } of closing) await Promise.all([store.close(), pool.end()])
  await postgres.stop()
}

/**
 * The same rows into an empty table with the same indexes. Emptying it again is not what is
 * measured, but cheap.
 */
async function copyRows(pool: pg.Pool, count: number): Promise<void> {
  const client = await pool.connect()
  await client.query('TRUNCATE todos')
  const stream = client.query(copyFrom('COPY todos FROM STDIN'))
  const lines = Array.from({ length: count }, (_, n) => {
    const { title, done, priority, notes, amount, list_id } = row(n)
    return [
      'alice',
      id(n),
      1_700_000_000_000_000 + n,
      'phone-7f3a',
      false,
      n,
      n,
      title,
      done,
      priority,
      notes ?? '\\N',
      amount,
      list_id,
    ].join('\t')
  })
  stream.end(`${lines.join('\n')}\n`)
  await once(stream, 'finish')
  client.release()
}

/** Processor time in milliseconds, of this process and of the server with all its backends. */
function cpu(postmaster: number): number {
  const { user, system } = process.cpuUsage()
  let ticks = 0
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      if (Number(pid) === postmaster || Number(fields[1]) === postmaster)
        ticks += Number(fields[11]) + Number(fields[12])
      // Of backends that have ended meanwhile.
      if (Number(pid) === postmaster) ticks += Number(fields[13]) + Number(fields[14])
    } catch {
      // The process has ended meanwhile.
    }
  }
  return (user + system) / 1000 + ticks * 10
}
