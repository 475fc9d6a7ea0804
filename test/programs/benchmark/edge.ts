import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { loadavg } from 'node:os'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { testSecret } from '../../support/server.ts'
import { startWorker } from '../../support/worker.ts'
import { startWorkerd, type Workerd } from '../../support/workerd.ts'
import { type Figure, median } from './measure.ts'
import { id, row } from './subject.ts'

/** What Cloudflare's free plan gives to a request, in milliseconds of the processor. */
const budgetMs = 10
/** Of several blocks of requests the cheapest counts: what others do on the machine only adds. */
const blocks = 6

/** Without what stands in front of a worker here to serve files, which is none of its own. */
const bare = { assets: undefined }

/**
 * What a request takes of the processor in workerd, everything counted: HTTP on both ways, the
 * worker, and the Durable Object with its SQLite. On Cloudflare the object has a budget of its own.
 */
export async function edgeFigures(report: (figure: Figure) => void): Promise<void> {
  console.log(`load of the machine before it: ${loadavg()[0]?.toFixed(2)}`)
  const [worker, pid] = await started(() => startWorker({}, bare))
  const client = clientOf(worker, pid)
  const costs = new Map<number, number>()
  for (const [rows, times] of [
    [1, 200],
    [100, 40],
    [1_000, 10],
    [5_000, 3],
  ] as const) {
    costs.set(rows, await client.pushMs(rows, times))
    if (rows === 100) report(within(`edge: CPU ms in workerd of a push of ${rows} rows`, costs.get(rows)))
    else say(`a push of ${rows.toLocaleString('en')} rows`, costs.get(rows))
  }
  report(within('edge: CPU ms in workerd of a page of 1,000 rows', await client.pageMs()))
  say('the largest push within 10 ms', undefined, `${await client.largestPush(costs)} rows`)
  say('a token verified by a secret', await client.tokenMs(bySecret))
  await worker.close()

  const issuer = await publishKey()
  const vars = { AUTH_SECRET: '', AUTH_JWKS_URL: issuer.url }
  const [other, otherPid] = await started(() => startWorker(vars, bare))
  say('a token verified by a published key (ES256)', await clientOf(other, otherPid, issuer.sign).tokenMs(issuer.sign))
  await other.close()
  issuer.close()
  say('cold start, to the first answer', undefined, `${await coldStartMs()} ms, in ticks of 10`)
}

const say = (name: string, ms: number | undefined, text = `${ms?.toFixed(2)} ms`) =>
  console.log(`       edge: ${name}: ${text}`)

const within = (name: string, ms = Number.NaN): Figure => ({
  ...{ name, ours: `${ms.toFixed(2)} ms`, theirs: `the ${budgetMs} ms of the free plan` },
  ...{ ratios: [ms], target: budgetMs, sense: 'at most' },
})

/** Starts a worker, and finds its process. */
async function started(start: () => Promise<Workerd>): Promise<[Workerd, number]> {
  const before = new Set(workerds())
  const worker = await start()
  const pid = workerds().find((one) => !before.has(one))
  if (pid === undefined) throw new Error('There is no process of workerd')
  return [worker, pid]
}

/** The processes of workerd that this one has started. */
function workerds(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const [, name, rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
        return name?.startsWith('workerd') && Number(rest.split(' ')[1]) === process.pid
      } catch {
        return false
      }
    })
}

/** Milliseconds of the processor that all threads of a process took. */
function cpuMs(pid: number): number {
  let nanos = 0
  for (const task of readdirSync(`/proc/${pid}/task`))
    nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
  return nanos / 1e6
}

type Sign = (claims: Record<string, unknown>) => Promise<string>

const bySecret: Sign = (claims) =>
  new SignJWT({ ...claims, exp: Math.floor(Date.now() / 1000) + 3_600 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(testSecret))

let fresh = 0

function clientOf(worker: Workerd, pid: number, sign: Sign = bySecret) {
  let later = (Date.now() - 3_600_000) * 1000

  async function request(token: string, path: string, body?: string): Promise<string> {
    const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) }
    const answer = await fetch(new URL(path, worker.url), { headers, ...(body && { method: 'POST', body }) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(text.slice(0, 300))
    return text
  }
  /** Of one request, where so many were sent; what is sent is made before. */
  async function costOf(times: number, prepare: () => Promise<() => Promise<unknown>>): Promise<number> {
    let least = Number.POSITIVE_INFINITY
    for (let block = -1; block < blocks; block++) {
      const all = await Promise.all(Array.from({ length: times }, prepare))
      const before = cpuMs(pid)
      for (const send of all) await send()
      // The first block is to warm up.
      if (block >= 0) least = Math.min(least, (cpuMs(pid) - before) / times)
    }
    return least
  }
  async function pushMs(rows: number, times: number): Promise<number> {
    const token = await sign({ sub: `pushes${rows}` })
    return costOf(times, async () => {
      const changes = Array.from({ length: rows }, () => {
        const n = fresh++
        return { table: 'todos', op: 'put', id: id(n), at: ++later, row: row(n) }
      })
      const body = JSON.stringify({ client: 'phone', return: 'lost', changes })
      return () => request(token, '/v1/push', body)
    })
  }
  return {
    pushMs,
    async pageMs() {
      // Those that the push of 1,000 has left there.
      const token = await sign({ sub: 'pushes1000' })
      return costOf(20, async () => () => request(token, '/v1/pull?limit=1000'))
    },
    /** What a token costs that was not seen before, beyond one that was: in turns with it. */
    async tokenMs(signNew: Sign) {
      const known = await signNew({ sub: 'someone' })
      const costOfAll = async (some: readonly string[]) => {
        const before = cpuMs(pid)
        for (const token of some) await request(token, '/v1/pull')
        return (cpuMs(pid) - before) / some.length
      }
      const beyond: number[] = []
      for (let block = -1; block < 15; block++) {
        const tokens = await Promise.all(
          Array.from({ length: 50 }, () => signNew({ sub: 'someone', jti: `${fresh++}` })),
        )
        const seen = await costOfAll(tokens.map(() => known))
        const cost = (await costOfAll(tokens)) - seen
        if (block >= 0) beyond.push(cost)
      }
      return median(beyond)
    },
    /** By halving between sizes whose costs are known. */
    async largestPush(costs: ReadonlyMap<number, number>): Promise<number> {
      const sizes = [...costs.keys()]
      let fits = Math.max(1, ...sizes.filter((rows) => (costs.get(rows) ?? 0) <= budgetMs))
      let beyond = Math.min(...sizes.filter((rows) => (costs.get(rows) ?? 0) > budgetMs))
      while (Number.isFinite(beyond) && beyond - fits > 50) {
        const rows = Math.round((fits + beyond) / 20) * 10
        if ((await pushMs(rows, 10)) <= budgetMs) fits = rows
        else beyond = rows
      }
      return fits
    },
  }
}

/** An issuer on this machine, which publishes one key. */
async function publishKey(): Promise<{ url: string; sign: Sign; close: () => void }> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }
  const server = createServer((_, answer) => {
    answer.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys: [jwk] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    sign: (claims) =>
      new SignJWT({ ...claims, exp: Math.floor(Date.now() / 1000) + 3_600 })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .sign(privateKey),
    close: () => server.close(),
  }
}

/** What a new workerd takes until the first answer, beyond one whose worker does nothing. */
async function coldStartMs(): Promise<number> {
  const code = 'export default { fetch: () => new Response("{}") }'
  const costs = { ours: [] as number[], empty: [] as number[] }
  // In turns, so that the machine's moods meet both.
  for (let time = 0; time < 7; time++) {
    costs.ours.push(await firstAnswerMs(() => startWorker({}, bare)))
    costs.empty.push(await firstAnswerMs(() => startWorkerd({ name: 'empty', code })))
  }
  return Math.min(...costs.ours) - Math.min(...costs.empty)
}

async function firstAnswerMs(start: () => Promise<Workerd>): Promise<number> {
  const [worker, pid] = await started(start)
  await (await fetch(new URL('/health', worker.url))).text()
  // Threads that have ended are counted here, in ticks of ten milliseconds.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  await worker.close()
  return (Number(fields[11]) + Number(fields[12])) * 10
}
