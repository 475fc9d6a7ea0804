import { vi } from 'vitest'
import { main } from '../../src/cli/commands.ts'
import type { Ran } from './command.ts'
import { asProject } from './scripts.ts'

/**
 * What `runCli` does, in this process: the same command and the same words at a fiftieth of the
 * time, for commands that read no standard input and are sent no signal. One at a time, since a
 * process has one folder and one environment.
 */
export async function runHere(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  { cwd = process.cwd() }: { cwd?: string } = {},
): Promise<Ran> {
  const before = { argv: process.argv, env: process.env, cwd: process.cwd(), exitCode: process.exitCode }
  const said = { out: '', err: '' }
  let ended: number | undefined
  const take =
    (to: keyof typeof said, end: string) =>
    (text: unknown, ...more: unknown[]) => {
      // What is said behind the end is said by nobody.
      if (ended === undefined) said[to] += `${text}${end}`
      const written = more.at(-1)
      if (typeof written === 'function') written()
      return true
    }
  const listening = process.stdout.listeners('error')
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(take('out', '')),
    vi.spyOn(process.stderr, 'write').mockImplementation(take('err', '')),
    vi.spyOn(console, 'log').mockImplementation(take('out', '\n')),
    vi.spyOn(console, 'warn').mockImplementation(take('err', '\n')),
    vi.spyOn(console, 'error').mockImplementation(take('err', '\n')),
    vi.spyOn(process, 'exit').mockImplementation((code) => {
      ended = Number(code)
      throw new Error('process.exit')
    }),
  ]
  try {
    process.argv = [process.execPath, 'driftline', command, ...args]
    process.env = { ...env }
    process.exitCode = 0
    process.chdir(asProject(cwd))
    await main().catch((error) => {
      if (ended === undefined) throw error
    })
    return { code: ended ?? Number(process.exitCode), ...said }
  } finally {
    process.chdir(before.cwd)
    process.argv = before.argv
    process.env = before.env
    process.exitCode = before.exitCode
    for (const spy of spies) spy.mockRestore()
    for (const listener of process.stdout.listeners('error'))
      if (!listening.includes(listener)) process.stdout.off('error', listener as () => void)
  }
}
