import { createRequire } from 'node:module'
import type { SingleBar } from 'cli-progress'

/** What came of one database. */
export interface Outcome {
  readonly name: string
  /** What was done, or what was found wrong. */
  readonly lines: readonly string[]
  readonly failed: boolean
}

/** How far a command is: a bar on a terminal, a line for each database elsewhere. */
export interface Progress {
  step(outcome: Outcome): void
  /** What failed is said last, where nobody has to scroll for it. */
  end(outcomes: readonly Outcome[]): void
}

export function showProgress(total: number): Progress {
  const prefix = ({ name }: Outcome) => (total === 1 ? '' : `${name}: `)
  const print = (outcome: Outcome, write: (line: string) => void) => {
    for (const line of outcome.lines) write(prefix(outcome) + line)
  }
  const bar = total > 1 && process.stdout.isTTY ? startBar(total) : undefined
  return {
    step(outcome) {
      if (bar) bar.increment({ name: outcome.name })
      else if (!outcome.failed) print(outcome, console.log)
    },
    end(outcomes) {
      bar?.stop()
      const failed = outcomes.filter((outcome) => outcome.failed)
      for (const outcome of failed) print(outcome, console.error)
      if (total > 1)
        console.log(`${outcomes.length - failed.length} of ${total} databases done, ${failed.length} failed.`)
    },
  }
}

/** Loaded where it is seen only. */
function startBar(total: number): SingleBar {
  const { SingleBar, Presets } = createRequire(import.meta.url)('cli-progress') as typeof import('cli-progress')
  const format = '{bar} {value} of {total} databases, {duration_formatted}  {name}'
  // Ctrl-C is ours: what is under way comes to its end first.
  const bar = new SingleBar({ format, stream: process.stdout, gracefulExit: false }, Presets.shades_classic)
  bar.start(total, 0, { name: '' })
  return bar
}
