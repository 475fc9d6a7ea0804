import { readFileSync } from 'node:fs'

/**
 * Loaded before a server, see clock.ts: the wall clock is read anew, with the offset of a file,
 * wherever it is asked for. The file is read each time, so that a step lies exactly between two
 * looks at the clock.
 */
const RealDate = Date
const now = () => RealDate.now() + Number(readFileSync(process.env.CLOCK_FILE ?? '', 'utf8'))

class SteppedDate extends RealDate {
  constructor(...parts: [] | [value: number | string | Date]) {
    if (parts.length === 0) super(now())
    else super(...parts)
  }
  static override now = now
}

globalThis.Date = SteppedDate as DateConstructor
