import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { libsqlFileStore } from '../../src/stores/libsql-file.ts'
import type { Figure } from './measure.ts'
import { createTablesIn, driftline, headers } from './subject.ts'

/** How much the process grows while it streams a million rows as NDJSON, in MB. */
export async function memoryFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-bench-'))
  const store = await libsqlFileStore(`file:${join(folder, 'a.db')}`)
  await createTablesIn(store)
  const rows = 1_000_000
  const fill = [
    `INSERT INTO driftline_scopes VALUES ('alice', 'bench', ${rows}, 0, 300)`,
    `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ${rows})
INSERT INTO todos SELECT 'alice', 'id' || n, 1, 'bench', 0, n, n, 'Buy ' || n || ' litres of milk', 0, 1, NULL, n / 100.0, NULL FROM n`,
  ]
  await store.batch(
    '',
    fill.map((sql) => ({ sql, params: [] })),
  )
  const app = driftline(store)
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  let peak = before
  const began = performance.now()
  const response = await app.request('/v1/pull', { headers: { ...headers, Accept: 'application/x-ndjson' } })
  let lines = 0
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    for (const byte of chunk) if (byte === 10) lines++
    peak = Math.max(peak, process.memoryUsage.rss())
  }
  const seconds = (performance.now() - began) / 1000
  if (lines < rows) throw new Error(`the stream has ${lines} lines`)
  const grown = (peak - before) / 2 ** 20
  report({
    name: 'libSQL: MB that the process grows while it streams 1 million rows',
    ours: `${grown.toFixed(0)} MB`,
    theirs: `${Math.round(rows / seconds / 1000)}k rows/s`,
    ratios: [grown],
    target: 150,
    sense: 'at most',
  })
  await store.close()
  await rm(folder, { recursive: true, force: true })
}
