import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '../../support/postgres.ts'
import { asProject, nodeArguments } from '../../support/scripts.ts'
import { type Figure, median } from './measure.ts'
import { residentBytes } from './memory.ts'
import { benchSecret } from './subject.ts'

const runs = 7
const startMsMax = 30_000
/** Long enough for the server to have settled: see src/runtime/node/settle.ts. */
const settledMs = 3_000

/** What answers `/health` and does nothing, beside which a server's start can be seen. */
const bare = `import { createServer } from 'node:http'
createServer((_, response) => response.end('{}')).listen(Number(process.env.PORT), '127.0.0.1')`

/**
 * `npm start` without npm's own: how long until it answers, from the moment that `node` begins, and
 * what it holds when nobody asks for anything. Beside a server of Node alone, run in turn with it.
 */
export async function idleFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-idle-'))
  const postgres = await startPostgres()
  const there = `file:${join(folder, 'there.db')}`
  const filled = await postgres.createDatabase()
  for (const url of [there, filled]) await start(nodeArguments('start'), url)
  let files = 0
  for (const [name, urlOf] of [
    ['a new file', async () => `file:${join(folder, `${++files}.db`)}`],
    ['a file that is there', async () => there],
    ['Postgres', async () => filled],
  ] as const) {
    const ours: Started[] = []
    const theirs: Started[] = []
    for (let run = 0; run < runs; run++) {
      ours.push(await start(nodeArguments('start'), await urlOf()))
      theirs.push(await start(['--input-type=module', '-e', bare], ''))
    }
    const of = (all: readonly Started[], what: keyof Started) => all.map((one) => one[what])
    const figure = (unit: string, what: keyof Started, target: number) => ({
      ours: `${Math.round(median(of(ours, what)))} ${unit}`,
      theirs: `${Math.round(median(of(theirs, what)))} ${unit} of Node alone`,
      ratios: of(ours, what),
      ...{ target, sense: 'at most' as const },
    })
    report({ name: `idle on ${name}: ms until it answers`, ...figure('ms', 'readyMs', 400) })
    report({ name: `idle on ${name}: MB that it holds`, ...figure('MB', 'megabytes', 80) })
  }
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}

interface Started {
  readonly readyMs: number
  readonly megabytes: number
}

async function start(args: readonly string[], databaseUrl: string): Promise<Started> {
  const port = await freePort()
  const began = performance.now()
  const child = spawn(process.execPath, args, {
    cwd: asProject(process.cwd()),
    env: { PATH: process.env.PATH, AUTH_SECRET: benchSecret, PORT: String(port), DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    while (!(await answers(port))) {
      if (child.exitCode !== null || performance.now() - began > startMsMax) throw new Error('It does not answer')
      await sleep(2)
    }
    const readyMs = performance.now() - began
    await sleep(settledMs)
    return { readyMs, megabytes: (await residentBytes(child.pid ?? 0)) / 2 ** 20 }
  } finally {
    const exited = child.exitCode === null && once(child, 'exit')
    child.kill()
    await exited
  }
}

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/health`).then(
    async (response) => {
      await response.text()
      return response.ok
    },
    () => false,
  )
}

/** Known before the process begins, so that nothing it prints has to be read. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
