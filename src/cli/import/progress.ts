import { createRequire } from 'node:module'
import type { SingleBar } from 'cli-progress'

/** What an import has done so far. */
export interface ImportSums {
  applied: number
  duplicate: number
  stale: number
  rejected: number
}

export const sumOf = ({ applied, duplicate, stale, rejected }: ImportSums): number =>
  applied + duplicate + stale + rejected

/**
 * How far an import is, on standard error: a bar on a terminal, a line every few seconds elsewhere.
 */
export interface ImportProgress {
  /** `part` is between 0 and 1, where the size is known. */
  show(sums: ImportSums, part: number | undefined): void
  /** A remark, such as that the database is away. */
  say(text: string): void
  end(): void
}

const lineMs = 5_000

/** `before`: the rows of an earlier part of the import, which this one goes on from. */
export function startImportProgress(name: string, before: number): ImportProgress {
  const began = performance.now()
  let bar: SingleBar | undefined
  let written = began
  let remark = ''
  // From here on time is reckoned: what an import passes over that goes on is no work.
  let first: { readonly part: number; readonly time: number } | undefined

  function describe(sums: ImportSums, part: number | undefined): Record<string, string> {
    const now = performance.now()
    const seconds = (now - began) / 1000
    const rows = sumOf(sums)
    if (part !== undefined) first ??= { part, time: now }
    const left =
      part === undefined || !first || part <= first.part
        ? ''
        : duration((((now - first.time) / 1000) * (1 - part)) / (part - first.part))
    return {
      rows: rows.toLocaleString('en'),
      rate: Math.round((rows - before) / Math.max(seconds, 0.001)).toLocaleString('en'),
      left: left && `, ${left} left`,
      rejected: sums.rejected > 0 ? `, ${sums.rejected.toLocaleString('en')} rejected` : '',
      remark: remark && `  ${remark}`,
    }
  }
  return {
    show(sums, part) {
      const words = describe(sums, part)
      remark = ''
      if (process.stderr.isTTY) {
        bar ??= startBar(part !== undefined)
        bar.update(Math.round((part ?? 0) * 1000), words)
      } else if (performance.now() - written >= lineMs) {
        written = performance.now()
        const percent = part === undefined ? '' : `${Math.floor(part * 100)} %, `
        console.error(`${name}: ${percent}${words.rows} rows, ${words.rate} a second${words.left}${words.rejected}`)
      }
    },
    say(text) {
      remark = text
      if (bar) bar.update({ remark: `  ${text}` })
      else console.error(text)
    },
    end: () => bar?.stop(),
  }
}

/** Loaded where it is seen only. */
function startBar(hasSize: boolean): SingleBar {
  const { SingleBar, Presets } = createRequire(import.meta.url)('cli-progress') as typeof import('cli-progress')
  const words = '{rows} rows, {rate} a second{left}{rejected}{remark}'
  // Ctrl-C is ours: what is under way comes to its end first.
  const bar = new SingleBar(
    { format: hasSize ? `{bar} {percentage} %  ${words}` : words, stream: process.stderr, gracefulExit: false },
    Presets.shades_classic,
  )
  bar.start(1000, 0, {})
  return bar
}

export function duration(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}
