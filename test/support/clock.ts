import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * The wall clock of a server process, which a test sets at any moment. What else tells time there
 * goes on steadily.
 */
export interface Clock {
  /** For the environment of the process. */
  readonly env: Readonly<Record<string, string>>
  /** Milliseconds ahead of the true time. */
  readonly offsetMs: number
  step(offsetMs: number): void
}

export function makeClock(folder: string): Clock {
  const file = `${folder}/clock`
  let offset = 0
  writeFileSync(file, '0')
  return {
    env: {
      CLOCK_FILE: file,
      NODE_OPTIONS: `--import=${fileURLToPath(new URL('clock-preload.ts', import.meta.url))}`,
    },
    get offsetMs() {
      return offset
    },
    step(offsetMs) {
      offset = offsetMs
      writeFileSync(file, String(offsetMs))
    },
  }
}
