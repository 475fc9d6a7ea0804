import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Answer, request } from './server.ts'

/** `npx driftline dev` as a process of its own, with all that it starts. */
export interface DevProcess {
  readonly url: string
  output(): string
  request(...args: Parameters<typeof request> extends [string, ...infer Rest] ? Rest : never): Promise<Answer>
  /** Ends workerd itself at once, and then what watches it. */
  kill(): Promise<void>
  /** Ends it as Ctrl-C does; gives the exit code. */
  stop(): Promise<number | null>
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Starts it on a free port, and waits until it has printed all or has ended. */
export async function startDev(env: Record<string, string>, folder: string): Promise<DevProcess> {
  const child = spawn(process.execPath, ['src/cli/main.ts', 'dev', '--persist-to', folder], {
    cwd: root,
    // A group of its own, so that nothing of it is left behind.
    detached: true,
    env: { PATH: process.env.PATH, HOME: folder, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const exited = once(child, 'exit')
  const ready = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (env.AUTH_SECRET ? /listens on http/.test(output) : /\ncurl .*\ncurl .*\n/.test(output)) resolve()
      })
    }
  })
  await Promise.race([ready, exited])
  const url = /listens on (\S+)/.exec(output)?.[1] ?? ''
  return {
    url,
    output: () => output,
    request: (...args) => request(url, ...args),
    async kill() {
      for (const pid of workerds(child.pid ?? 0)) process.kill(pid, 'SIGKILL')
      process.kill(-(child.pid ?? 0), 'SIGKILL')
      await exited
      // What it would have removed itself.
      await rm(`${root}.driftline/dev-${child.pid}.vars`)
    },
    async stop() {
      if (child.exitCode === null) child.kill('SIGINT')
      const [code] = await exited
      return code
    },
  }
}

/** The processes named workerd in this process's group. */
function workerds(group: number): number[] {
  return execFileSync('ps', ['-A', '-o', 'pgid=,pid=,comm='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([pgid, , name]) => Number(pgid) === group && name === 'workerd')
    .map(([, pid]) => Number(pid))
}
