import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** What a command of src/cli did, as `npm run` starts it. */
export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export async function runCli(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  { input = '', cwd = process.cwd() } = {},
): Promise<Ran> {
  const entry = new URL(`../../src/cli/${command}.ts`, import.meta.url).pathname
  const child = spawn(process.execPath, [entry, ...args], { cwd, env: { PATH: process.env.PATH, ...env } })
  child.stdin.end(input)
  const exited = once(child, 'exit')
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { code, out, err }
}
