import { writeFile } from 'node:fs/promises'
import { type LastRun, lastRunsFile, readLastRuns } from './promises.ts'

/**
 * Keeps the figures of a long program for docs/promises.md, in the place of those of its last run.
 */
export async function recordRun(command: string, figures: LastRun['figures']): Promise<void> {
  const others = (await readLastRuns()).filter((run) => run.command !== command)
  const date = new Date().toISOString().slice(0, 10)
  const runs = [...others, { command, date, figures }].sort((a, b) => (a.command < b.command ? -1 : 1))
  await writeFile(lastRunsFile, `${JSON.stringify(runs, null, 2)}\n`)
}
