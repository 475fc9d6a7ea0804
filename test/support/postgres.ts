/**
 * A real Postgres for tests, from the binaries npm installs: no apt, no container, no cluster left
 * behind. About 1 s to start. Linux and macOS.
 */
import { type ChildProcess, execFile, type StdioOptions, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { onceInRun } from './once.ts'
import { installBinaries } from './postgres-binaries.ts'
import { startWatchdog } from './watchdog.ts'

export interface Postgres {
  readonly url: string
  readonly port: number
  /** The postmaster's; a new one after `restart`. */
  readonly pid: number
  readonly dataDir: string
  /** Makes an empty database of a new name and answers its URL. */
  createDatabase(): Promise<string>
  /**
   * Signals the postmaster: SIGINT is a fast shutdown, SIGQUIT an immediate one, SIGKILL a crash.
   */
  kill(signal: NodeJS.Signals): void
  /**
   * Stops what still runs, then starts on the same data and port; answers once it takes connections
   * again.
   */
  restart(): Promise<void>
  /** Stops at once and removes the data. */
  stop(): Promise<void>
}

const run = promisify(execFile)
const startTimeoutMs = 60_000
// Postgres refuses to run as root. A uid without a passwd entry does not work; 65534 (nobody) has
// one everywhere.
const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
const defaultSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  fsync: 'off', // survives a killed process, not a killed machine
}

export async function startPostgres(options: { settings?: Record<string, string> } = {}): Promise<Postgres> {
  const bin = join(await installBinaries(), 'bin')
  const folder = await mkdtemp(join(tmpdir(), 'driftline-pg-'))
  const watchdog = startWatchdog(folder)
  const dataDir = join(folder, 'data')
  if (user.uid !== undefined) await chown(folder, user.uid, user.gid)
  const made = join(await onceInRun('postgres', initialize), 'data')
  await run('cp', ['-R', '-p', made, dataDir])

  const port = await findFreePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const settings = Object.entries({ ...defaultSettings, port: String(port), ...options.settings })
  const args = ['-D', dataDir, ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  let postmaster: ChildProcess

  /**
   * Tries again while the backends of a killed postmaster still hold its shared memory: they may be
   * deep in a query.
   */
  async function start(): Promise<void> {
    const deadline = Date.now() + startTimeoutMs
    const logFile = join(folder, 'log')
    let log = ''
    do {
      const output = await open(logFile, 'w')
      const stdio: StdioOptions = ['ignore', output.fd, output.fd]
      postmaster = spawn(join(bin, 'postgres'), args, { ...user, env, cwd: folder, stdio })
      await output.close()
      watchdog.stdin?.write(`${postmaster.pid}\n`)
      while (isRunning(postmaster)) {
        if (await isReady(url, dataDir)) return postmaster.unref()
        if (Date.now() > deadline) postmaster.kill('SIGKILL')
        await sleep(20)
      }
      log = await readFile(logFile, 'utf8')
    } while (Date.now() < deadline && log.includes('pre-existing shared memory'))
    throw new Error(`Postgres did not start:\n${log}`)
  }

  async function halt(signal: NodeJS.Signals): Promise<void> {
    if (isRunning(postmaster)) {
      postmaster.ref()
      const exited = once(postmaster, 'exit')
      postmaster.kill(signal)
      postmaster.kill('SIGCONT') // a test may have frozen it
      await exited
    }
    watchdog.stdin?.write('\n')
  }

  await start()
  return {
    url,
    port,
    dataDir,
    get pid() {
      return postmaster.pid!
    },
    async createDatabase() {
      const name = `test_${randomBytes(6).toString('hex')}`
      await query(url, `CREATE DATABASE ${name} STRATEGY FILE_COPY`)
      return url.replace(/postgres$/, name)
    },
    kill: (signal) => void postmaster.kill(signal),
    async restart() {
      await halt('SIGINT')
      await start()
    },
    async stop() {
      await halt('SIGQUIT')
      watchdog.stdin?.end()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** The data of a new cluster, which costs ten times what a copy of it does. */
async function initialize(folder: string): Promise<void> {
  // Nobody but its owner may enter the folder of the run.
  const entered = await mkdtemp(join(tmpdir(), 'driftline-pg-'))
  if (user.uid !== undefined) await chown(entered, user.uid, user.gid)
  const data = join(entered, 'data')
  const args = ['--encoding=UTF8', '--locale=C', '--auth=trust', '--no-sync', '--wal-segsize=1']
  const initdb = join(await installBinaries(), 'bin', 'initdb')
  await run(initdb, ['-D', data, '-U', 'postgres', ...args], { ...user, env, cwd: entered })
  await rename(data, join(folder, 'data'))
  await rm(entered, { recursive: true })
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 })
  client.on('error', () => {}) // a connection lost after its query is not this test's failure
  try {
    await client.connect()
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

/** Asks for the data folder too: on a port lost to another server, that one would answer. */
async function isReady(url: string, dataDir: string): Promise<boolean> {
  const [found] = await query(url, 'SHOW data_directory').catch(() => [])
  return found === dataDir
}

/**
 * Outside the ephemeral ports: on those, somebody's outgoing connection could take it between a
 * kill and a restart.
 */
async function findFreePort(): Promise<number> {
  const port = randomInt(20_000, 32_000)
  const probe = createServer().listen(port, '127.0.0.1')
  const isTaken = await once(probe, 'listening').catch(() => true)
  if (isTaken === true) return findFreePort()
  probe.close()
  await once(probe, 'close')
  return port
}
