import { drawFaults, type FaultProxy, faultKinds, startFaultProxy } from '../../support/fault-proxy.ts'
import { seededRandom } from '../../support/random.ts'
import { type ServerProcess, startServer } from '../../support/server.ts'
import { webhookSecret } from '../../support/webhook.ts'
import { findBreaches, type Played, playWriters } from './play.ts'

export interface NetworkOptions {
  readonly databaseUrl: string
  /** Where the network is bad. */
  readonly between: 'client and server' | 'server and Postgres'
  readonly seed: number
  /** The shortest time that it lasts; it also goes on until each kind of fault has struck. */
  readonly ms: number
}

export interface NetworkOutcome {
  readonly played: Played
  readonly struck: ReadonlyMap<string, number>
  readonly breaches: readonly string[]
  readonly output: string
}

/**
 * A server, writers, and a network that breaks every connection, until it heals; then what the
 * promises say.
 */
export async function playNetwork({ databaseUrl, between, seed, ms }: NetworkOptions): Promise<NetworkOutcome> {
  const random = seededRandom(seed)
  const started: (() => unknown)[] = []
  const proxied = async (url: string): Promise<{ proxy: FaultProxy; through: string }> => {
    const through = new URL(url)
    // Postgres' greeting and a small sync have some 2,000 bytes: less, and nothing would ever get
    // through.
    const proxy = await startFaultProxy(Number(through.port), drawFaults(random, 12_000))
    started.push(() => proxy.close())
    through.port = String(proxy.port)
    return { proxy, through: through.href.replace(/\/$/, '') }
  }
  const serve = async (url: string): Promise<ServerProcess> => {
    const server = await startServer({
      DATABASE_URL: url,
      WEBHOOK_SECRETS: JSON.stringify({ crm: webhookSecret }),
      LOG: 'errors',
    })
    started.push(() => server.stop('SIGKILL'))
    return server
  }
  try {
    const database = between === 'server and Postgres' ? await proxied(databaseUrl) : undefined
    const server = await serve(database?.through ?? databaseUrl)
    const network = database ?? (await proxied(server.url))
    network.proxy.turn('bad')
    const until = Date.now() + ms
    const hasMetAll = () =>
      faultKinds.every((kind) => [...network.proxy.struck.keys()].some((name) => name.startsWith(kind)))
    const isOver = () => {
      if (Date.now() < until || !hasMetAll()) return false
      network.proxy.turn('whole')
      return true
    }
    const played = await playWriters({ url: database ? server.url : network.through, isOver })
    const readRows = async () => {
      const { json, status } = await server.request('GET', '/v1/pull?limit=5000')
      if (status !== 200) return [] // the server must answer again by itself
      const rows = [...json.changes]
      for (let page = json; page.more; ) {
        page = (await server.request('GET', `/v1/pull?limit=5000&cursor=${page.cursor}`)).json
        rows.push(...page.changes)
      }
      return rows
    }
    const breaches = await findBreaches(played, readRows)
    return { played, struck: network.proxy.struck, breaches, output: server.output() }
  } finally {
    for (const end of started.reverse()) await end()
  }
}
