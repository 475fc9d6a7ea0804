import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { signToken, type TokenClaims } from '../../src/runtime/sign-token.ts'
import { asProject, nodeArguments } from './scripts.ts'

export const testSecret = 'a secret of the tests, 32 bytes or more'

/** A driftline process of its own, as `npm start` runs it. */
export interface ServerProcess {
  readonly url: string
  readonly process: ChildProcess
  /** What it has printed so far. */
  output(): string
  request(
    method: string,
    path: string,
    options?: { sub?: string; scopes?: TokenClaims['scopes']; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>
  /** Ends it by a signal and waits; gives the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests read answers of every form
  readonly json: any
}

/**
 * Starts it on a free port, with only the environment given, and waits until it listens or has
 * ended. `project` is whose tables it has: those of the tests, where nothing else is said.
 */
export async function startServer(
  env: Record<string, string>,
  cwd = process.cwd(),
  project = asProject(cwd),
): Promise<ServerProcess> {
  const child = spawn(process.execPath, nodeArguments('start'), {
    cwd: project,
    env: { PATH: process.env.PATH, AUTH_SECRET: testSecret, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const exited = once(child, 'exit')
  const listening = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (/listens on http/.test(output)) resolve()
      })
    }
  })
  await Promise.race([listening, exited])
  const url = /listens on (\S+)/.exec(output)?.[1] ?? ''
  return {
    url,
    process: child,
    output: () => output,
    request: (method, path, options) => request(url, method, path, options),
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      const [code] = await exited
      return code
    },
  }
}

/** One request to a server at a URL, with a token of its own. */
export async function request(
  url: string,
  method: string,
  path: string,
  { sub = 'alice', scopes = [], body, headers = {} }: Parameters<ServerProcess['request']>[2] = {},
): Promise<Answer> {
  const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(url + path, {
    method,
    redirect: 'manual',
    headers: {
      Authorization: `Bearer ${await signToken(testSecret, { sub, scopes })}`,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: raw ? (body as string) : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
