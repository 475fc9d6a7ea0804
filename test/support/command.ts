import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { asProject, nodeArguments } from './scripts.ts'

/** What a command of src/cli did, as `npm run` starts it. */
export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export function runCli(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  options: { input?: string | Uint8Array; cwd?: string } = {},
): Promise<Ran> {
  return startCli(command, args, env, options).ran
}

/** The same while it runs, for tests that send it a signal. */
export function startCli(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  { input = '', cwd = process.cwd() }: { input?: string | Uint8Array; cwd?: string } = {},
): { readonly child: ChildProcess; readonly ran: Promise<Ran> } {
  const child = spawn(process.execPath, [...nodeArguments(command), ...args], {
    cwd: asProject(cwd),
    env: { PATH: process.env.PATH, ...env },
  })
  child.stdin.end(input)
  const ran = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]).then(([out, err, [code]]) => ({
    ...{ code, out, err },
  }))
  return { child, ran }
}
