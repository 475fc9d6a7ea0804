import { createRequire } from 'node:module'

/** How many rows a command has done. */
export interface RowProgress {
  step(rows: number): void
  end(): void
}

/**
 * A bar on standard error, so that standard output may carry data; nothing where that is no
 * terminal.
 */
export function showRows(total: number, done = 0): RowProgress {
  if (!process.stderr.isTTY) return { step() {}, end() {} }
  const { SingleBar, Presets } = createRequire(import.meta.url)('cli-progress') as typeof import('cli-progress')
  const format = '{bar} {value} of {total} rows, {duration_formatted}, {eta_formatted} to go'
  // Ctrl-C is ours: what is under way comes to its end first.
  const bar = new SingleBar({ format, stream: process.stderr, gracefulExit: false }, Presets.shades_classic)
  bar.start(Math.max(total, 1), done)
  return {
    step: (rows) => bar.increment(rows),
    end: () => bar.stop(),
  }
}
