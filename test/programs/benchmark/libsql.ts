import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@libsql/client/sqlite3'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { libsqlByHand } from './by-hand.ts'
import { type Figure, faster, inPairs, median, wallMs, within } from './measure.ts'
import { type App, createTablesIn, driftline, pulls, pushes, webhooks } from './subject.ts'

/**
 * On a libSQL file: what a phone's push and pull cost, against the handler that people write by
 * hand.
 */
export async function libsqlFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  const open = async (name: string) => {
    const url = `file:${join(folder, name)}`
    const store = await libsqlFileStore(url)
    await createTablesIn(store)
    return { store, client: createClient({ url, timeout: 5000 }) }
  }
  for (const [count, returned, target, pairs] of [
    [1000, 'lost', 3.3, 15],
    [5000, 'lost', 4, 9],
    [1000, 'all', 3, 11],
  ] as const) {
    const [a, b] = [await open(`a-${count}-${returned}.db`), await open(`b-${count}-${returned}.db`)]
    const [ours, theirs] = [driftline(a.store), libsqlByHand(b.client, returned)]
    const costs = await inPairs(pairs, wallMs, pushes(ours, count, returned), pushes(theirs, count, returned))
    report(faster(`libSQL: ${count} changes, a quarter stale, return ${returned}`, costs, target))
    if (count === 1000 && returned === 'lost') {
      const one = await inPairs(
        301,
        wallMs,
        pushes(ours, 1, 'lost', { staleQuarter: false }),
        pushes(theirs, 1, 'lost', { staleQuarter: false }),
      )
      report(within('libSQL: one change', one, 1.1))
      const page = await inPairs(31, wallMs, pulls(ours), pulls(libsqlByHand(a.client, 'lost')))
      report(faster('libSQL: a page of 1,000 rows', page, 4))
    }
  }
  report(await webhookFigure('libSQL', driftline((await open('webhook.db')).store)))
  const { store } = await open('flat.db')
  const app = driftline(store)
  const flat = await inPairs(15, wallMs, pushes(app, 5000, 'lost'), pushes(app, 1000, 'lost'))
  report(
    within(
      'libSQL: cost of a change, in sets of 5,000 against 1,000',
      { ours: flat.ours.map((cost) => cost / 5), theirs: flat.theirs },
      1.3,
    ),
  )
  report(
    await stored('libSQL', async (rows) => {
      const { store: filled } = await open(`filled-${rows}.db`)
      await filled.batch('', fillSqlite(rows))
      return driftline(filled)
    }),
  )
  await rm(folder, { recursive: true, force: true })
}

/**
 * A webhook of changes against the same changes as a phone pushes them, with its default of
 * `return`.
 */
export async function webhookFigure(name: string, app: App): Promise<Figure> {
  const costs = await inPairs(31, wallMs, webhooks(app, 1000), pushes(app, 1000, 'all'))
  return within(`${name}: a signed webhook of 1,000 changes against a push of them`, costs, 1.15)
}

/**
 * The cost of the same push where ten thousand and where a million rows are stored in the scope.
 */
export async function stored(
  name: string,
  open: (rows: number) => Promise<ReturnType<typeof driftline>>,
): Promise<Figure> {
  const [small, large] = [await open(10_000), await open(1_000_000)]
  const costs = await inPairs(15, wallMs, pushes(large, 1000, 'lost'), pushes(small, 1000, 'lost'))
  if (!(median(costs.ours) > 0)) throw new Error('nothing was measured')
  return within(`${name}: 1,000 changes among 1 million rows against 10 thousand`, costs, 2)
}

function fillSqlite(rows: number) {
  return [
    `INSERT INTO driftline_scopes (scope, incarnation, position, watermark, row_bytes) VALUES ('alice', 'bench', ${rows}, 0, 300)`,
    `WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < ${rows - 1})
INSERT INTO todos SELECT 'alice', '0193f0a0-7c4e-7d7e-9f3a-' || format('%012d', (n * 7919) % ${rows}), 1000000000000000, 'bench', 0, n + 1, n + 1, 'Buy ' || n || ' litres of milk', 0, 1, CASE WHEN n % 2 THEN 'from the shop' END, n / 100.0, 'a1b2c3d4' FROM n`,
  ].map((sql) => ({ sql, params: [] }))
}
