import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { nodeArguments } from '../../support/scripts.ts'
import type { Figure } from './measure.ts'

/** Memory that a process really holds, garbage that was not collected yet included. */
export const residentBytes = (pid: number) => statusBytes(pid, 'VmRSS')

/** The most that it ever held. */
export const peakBytes = (pid: number) => statusBytes(pid, 'VmHWM')

async function statusBytes(pid: number, name: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
}

/**
 * Runs what `npm run <script>` runs to its end, in a process of its own, and gives the most memory
 * that it held.
 */
export async function peakOfScript(script: string, words: string[], env: Record<string, string>): Promise<number> {
  const child = spawn(process.execPath, [...nodeArguments(script), ...words], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  let peak = 0
  const watching = setInterval(() => {
    // It may have ended in between.
    peakBytes(child.pid ?? 0).then(
      (bytes) => {
        peak = Math.max(peak, bytes || 0)
      },
      () => {},
    )
  }, 10)
  const [code] = await once(child, 'exit')
  clearInterval(watching)
  if (code !== 0) throw new Error(`npm run ${script} ended with ${code}: ${said}`)
  return peak
}

/** By how much a process grew, in MB; each starts anew, as for a user. */
export function growthFigure(name: string, bytes: number, rate: string): Figure {
  const grown = bytes / 2 ** 20
  return { name, ours: `${grown.toFixed(0)} MB`, theirs: rate, ratios: [grown], target: 150, sense: 'at most' }
}
