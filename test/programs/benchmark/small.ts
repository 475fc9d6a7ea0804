import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { libsqlFileStore } from '../../../src/stores/libsql/file.ts'
import { postgresStore } from '../../../src/stores/postgres/pool.ts'
import { startPostgres } from '../../support/postgres.ts'
import { startServer } from '../../support/server.ts'
import { type Figure, inPairs, median, type Side, wallMs } from './measure.ts'
import { sayParts } from './small-parts.ts'
import { benchSecret, id, row } from './subject.ts'

/** One of the two servers, as its client sees it. */
interface Server {
  push(scope: string, changes: readonly Sent[]): Promise<void>
  /** All rows, by pages of 1,000: how many there are. */
  pull(scope: string): Promise<number>
  stop(): Promise<unknown>
}

/** The body of a push: it is made before the clock runs, since it is the phone's work. */
interface Sent {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A row of a push: its number, and its stamp in microseconds. */
type Stamped = readonly [n: number, at: number]

interface Kind {
  readonly start: (url: string) => Promise<Server>
  /** What carries so many rows: as many requests as its limits want. */
  readonly encode: (scope: string, rows: readonly Stamped[]) => Promise<readonly Sent[]>
}

const changesMax = 5_000
const users = 16
const usersPushes = 25
const usersRows = 50
const began = (Date.now() - 3_600_000) * 1000

/**
 * driftline as `npm start` runs it against the two endpoints that one would write by hand, each a
 * process of its own on a database of its own of the same server or disk, over HTTP and in turns.
 * driftline takes 10,000 rows as two change sets of 5,000, which is its limit, by hand they are one
 * request. What is pushed has `"return": "lost"`, as a phone has it.
 */
export async function smallFigures(report: (figure: Figure) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'driftline-small-'))
  // As one is shipped: a commit waits for the disk, as it does on a file.
  const postgres = await startPostgres({ settings: { fsync: 'on' } })
  for (const [name, urlOf] of [
    ['libSQL file', async (side: string) => `file:${join(folder, `${side}.db`)}`],
    ['Postgres', () => postgres.createDatabase()],
  ] as const) {
    const [ours, theirs] = [await product.start(await urlOf('ours')), await byHand.start(await urlOf('theirs'))]
    await figuresOf(name, ours, theirs, report)
    await Promise.all([ours.stop(), theirs.stop()])
  }
  const file = await libsqlFileStore(`file:${join(folder, 'parts.db')}`)
  await sayParts('libSQL file', file)
  await file.close()
  const server = postgresStore(await postgres.createDatabase())
  await sayParts('Postgres', server)
  await server.close()
  await postgres.stop()
  await rm(folder, { recursive: true, force: true })
}

async function figuresOf(name: string, ours: Server, theirs: Server, report: (figure: Figure) => void): Promise<void> {
  const says = (what: string, costs: { ours: number[]; theirs: number[] }, target: number, ratios?: number[]) =>
    report({
      name: `${name}: ${what}, against endpoints by hand`,
      ours: `${median(costs.ours).toFixed(2)} ms`,
      theirs: `${median(costs.theirs).toFixed(2)} ms`,
      ratios: ratios ?? costs.ours.map((cost, pair) => cost / (costs.theirs[pair] ?? 0)),
      ...{ target, sense: 'at most' as const },
    })
  let fresh = 0
  let later = 0
  /** So many rows that nobody has yet; the next stamps. */
  const newRows = (count: number): Stamped[] => Array.from({ length: count }, () => [fresh++, began + ++later])
  const both = (scope: string, rows: () => readonly Stamped[]) => {
    // Both are sent the same.
    let made: { rows: readonly Stamped[]; left: number } | undefined
    const next = () => {
      if (!made || made.left === 0) made = { rows: rows(), left: 2 }
      made.left--
      return made.rows
    }
    const side = (server: Server, { encode }: Kind): Side<Promise<readonly Sent[]>> => ({
      prepare: () => encode(scope, next()),
      run: async (sent) => server.push(scope, await sent),
    })
    return [side(ours, product), side(theirs, byHand)] as const
  }

  const one = await inPairs(400, wallMs, ...both('alice', () => newRows(1)), 100)
  // In blocks, so that there is a spread of them.
  const blocks = Array.from({ length: 8 }, (_, block) => {
    const part = (costs: number[]) => median(costs.slice(block * 50, block * 50 + 50))
    return part(one.ours) / part(one.theirs)
  })
  says('a push of one row, p50', one, 1.3, blocks)
  says('a push of 1,000 new rows', await inPairs(21, wallMs, ...both('bob', () => newRows(1_000))), 1.2)
  const again = Array.from({ length: 1_000 }, (_, n) => n)
  // The even ones are of the first round, and lose ever after.
  const half = () => again.map((n): Stamped => [n, n % 2 ? began + ++later : began])
  says('the same 1,000 again, half of it stale', await inPairs(21, wallMs, ...both('carol', half)), 1.2)
  says('a push of 10,000 new rows', await inPairs(7, wallMs, ...both('dave', () => newRows(10_000)), 2), 1)

  for (const [server, { encode }] of [
    [ours, product],
    [theirs, byHand],
  ] as const) {
    await server.push('erin', await encode('erin', newRows(10_000)))
    if ((await server.pull('erin')) !== 10_000) throw new Error('a pull did not come to 10,000 rows')
  }
  const pulls = (server: Server): Side<void> => ({ prepare: () => {}, run: () => server.pull('erin') })
  says('a pull of 10,000 rows by pages of 1,000', await inPairs(15, wallMs, pulls(ours), pulls(theirs)), 1)

  const crowd = ({ encode }: Kind, server: Server): Side<Promise<readonly (readonly Sent[])[]>> => ({
    prepare: () =>
      Promise.all(
        Array.from({ length: users }, async (_, user) => {
          const pushes = Array.from({ length: usersPushes }, () => encode(`user${user}`, newRows(usersRows)))
          return (await Promise.all(pushes)).flat()
        }),
      ),
    run: async (sent) => {
      const all = await sent
      await Promise.all(
        all.map(async (own, user) => {
          for (const one of own) await server.push(`user${user}`, [one])
        }),
      )
    },
  })
  const many = await inPairs(9, wallMs, crowd(product, ours), crowd(byHand, theirs), 1)
  const rate = (costs: number[]) => `${Math.round((users * usersPushes * usersRows) / (median(costs) / 1000))} rows/s`
  report({
    name: `${name}: rows a second of 16 users with 50 rows a push, against endpoints by hand`,
    ours: rate(many.ours),
    theirs: rate(many.theirs),
    ratios: many.ours.map((cost, pair) => (many.theirs[pair] ?? 0) / cost),
    ...{ target: 0.9, sense: 'at least' as const },
  })
}

const agent = new Agent({ keepAlive: true, maxSockets: users })

/** By the plain client of Node, which costs less than `fetch`: less that both sides have in common. */
function send(url: string, method: string, headers: Readonly<Record<string, string>>, body = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const length = body === '' ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
    const asked = request(url, { method, agent, headers: { ...headers, ...length } }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString()
        if (answer.statusCode === 200) resolve(text)
        else reject(new Error(text.slice(0, 300)))
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

async function pushAll(url: string, all: readonly Sent[]): Promise<void> {
  for (const { path, headers, body } of all) {
    const text = await send(url + path, 'POST', { 'Content-Type': 'application/json', ...headers }, body)
    if (text.includes('"rejected"')) throw new Error(text.slice(0, 300))
  }
}

const tokens = new Map<string, Promise<string>>()

async function authorization(scope: string): Promise<{ readonly Authorization: string }> {
  const token = tokens.get(scope) ?? signToken(benchSecret, { sub: scope })
  tokens.set(scope, token)
  return { Authorization: `Bearer ${await token}` }
}

const product: Kind = {
  async start(url) {
    const server = await startServer({ DATABASE_URL: url, AUTH_SECRET: benchSecret })
    return {
      push: (_, all) => pushAll(server.url, all),
      async pull(scope) {
        const headers = await authorization(scope)
        let rows = 0
        for (let cursor = ''; ; ) {
          const text = await send(`${server.url}/v1/pull?cursor=${cursor}`, 'GET', headers)
          const page = JSON.parse(text)
          rows += page.changes.length
          if (!page.more) return rows
          cursor = page.cursor
        }
      },
      stop: () => server.stop(),
    }
  },
  async encode(scope, rows) {
    const headers = await authorization(scope)
    const parts = Array.from({ length: Math.ceil(rows.length / changesMax) }, (_, part) =>
      rows.slice(part * changesMax, (part + 1) * changesMax),
    )
    return parts.map((some) => {
      const changes = some.map(([n, at]) => ({ table: 'todos', op: 'put', id: id(n), at, row: row(n) }))
      return { path: '/v1/push', headers, body: JSON.stringify({ client: 'phone', return: 'lost', changes }) }
    })
  },
}

const byHand: Kind = {
  async start(databaseUrl) {
    const { child, url } = await startByHand(databaseUrl)
    return {
      push: (_, all) => pushAll(url, all),
      async pull(scope) {
        let rows = 0
        for (let [at, last] = [0, '']; ; ) {
          const page = JSON.parse(await send(`${url}/pull?scope=${scope}&at=${at}&id=${last}`, 'GET', {}))
          rows += page.rows.length
          if (!page.more) return rows
          const { updated_at, id: one } = page.rows.at(-1)
          ;[at, last] = [updated_at, one]
        }
      },
      async stop() {
        const exited = once(child, 'exit')
        child.kill()
        await exited
      },
    }
  },
  async encode(scope, rows) {
    const sent = rows.map(([n, at]) => ({ id: id(n), updated_at: at, ...row(n) }))
    return [{ path: '/push', headers: {}, body: JSON.stringify({ scope, client: 'phone', rows: sent }) }]
  },
}

async function startByHand(databaseUrl: string): Promise<{ child: ChildProcess; url: string }> {
  const file = fileURLToPath(new URL('by-hand-server.ts', import.meta.url))
  const child = spawn(process.execPath, ['--max-semi-space-size=16', file], {
    env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  for await (const chunk of child.stdout) {
    output += chunk
    const url = /listens on (\S+)/.exec(output)?.[1]
    if (url !== undefined) return { child, url }
  }
  throw new Error('The endpoints by hand do not start')
}
