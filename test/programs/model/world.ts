/**
 * Clients, a network that loses, repeats and delays, a server that restarts, and a database that
 * fails: runs the steps, and holds every answer against the reference at once, so that a fault is
 * found where it happens.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createApp } from '../../../src/http/app.ts'
import { prune } from '../../../src/prune/prune.ts'
import type { Store } from '../../../src/stores/store.ts'
import { noon } from '../../support/sample.ts'
import { testSecret } from '../../support/server.ts'
import { type ClientState, compose, edit, heldRow, newClient, receive } from './client.ts'
import { liveRows, mustBeSame, rowLines, storedLines } from './compare.ts'
import { Broken, type Exchange, explainOrders, type Scopes } from './explain.ts'
import { type Letter, request } from './network.ts'
import { positionsOf, type Server, startServer, untilForgotten } from './process.ts'
import { type Access, emptyScope, pruneScope, type ScopeState, type SentChange } from './reference.ts'
import type { Rival } from './rival.ts'
import { type Call, clientNames, type Step, shared, subjects } from './steps.ts'
import type { ModelStore } from './stores.ts'
import { modelSchema as schema } from './tables.ts'
import { newTrouble, type Trouble, troubledStore } from './trouble.ts'

/** What happened so far, over all runs. */
export interface Counts {
  runs: number
  requests: number
  changes: number
  resyncs: number
  atOnce: number
  faults: Record<string, number>
  /** By kind, those that are rejected by their code. */
  verdicts: Record<string, number>
}

export const newCounts = (): Counts => ({
  ...{ runs: 0, requests: 0, changes: 0, resyncs: 0, atOnce: 0 },
  ...{ faults: {}, verdicts: {} },
})

interface Device {
  readonly name: string
  readonly subject: string
  access: Map<string, Access>
  state: ClientState
  saved: ClientState
  /** What the wall clock is ahead of the server's. */
  skewMs: number
}

/** A request as it left a client. */
interface Sent extends Letter {
  readonly device: Device
}

/** A process that has just started takes some 30 ms for its first request, and then one or two. */
const killAfterMs = [1, 4, 25]

export interface World {
  run(steps: readonly Step[]): Promise<void>
  close(): Promise<void>
}

/**
 * @param processUrl where a server process of its own finds the database, which is killed instead
 * of failing
 */
export async function createWorld(
  database: ModelStore,
  counts: Counts,
  rival: Rival | undefined,
  processUrl?: string,
): Promise<World> {
  let store = await database.open()
  let nowMs = noon / 1000
  let trouble: Trouble | undefined
  let devices: Device[] = []
  let scopes: Scopes = new Map()
  let delayed: Sent[] = []
  const prefix = crypto.randomUUID().slice(0, 8)

  function newServer(): Promise<Server> | Server {
    if (processUrl !== undefined) return startServer(processUrl, () => nowMs)
    return createApp({ schema, store: troubled, auth: { secret: testSecret }, now: () => nowMs })
  }
  const troubled = troubledStore(
    () => store,
    () => trouble,
  )
  let server = await newServer()

  async function send(sent: Sent): Promise<Exchange> {
    const exchange = await request(server, sent, nowMs * 1000, trouble)
    counts.requests++
    counts.changes += sent.request.changes.length
    if (exchange.status === 410) counts.resyncs++
    for (const { verdict, error } of exchange.body.verdicts ?? []) {
      const kind = error?.code ?? verdict
      counts.verdicts[kind] = (counts.verdicts[kind] ?? 0) + 1
    }
    return exchange
  }

  async function sendAndExplain(sent: Sent): Promise<Exchange> {
    const exchange = await send(sent)
    trouble = undefined
    scopes = await after([exchange])
    return exchange
  }

  function prepare({ client, half, limit, isBroken, ...options }: Call): Sent {
    const device = devices[client] as Device
    // What a client lets out it has saved: no stamp is ever given twice.
    device.saved = device.state
    // Once its clock was set back, a request that is still on its way could hold a stamp of another
    // change.
    const returned = device.state.offsetMs === 0 ? options.return : 'all'
    const request = compose(device.state, half, { limit, return: returned, scopes: [...device.access.keys()] })
    const broken: SentChange = { table: 'todos', op: 'delete', id: 'x', at: null, scope: device.subject }
    const changes = isBroken && half !== 'pull' ? [broken, ...request.changes] : request.changes
    return { device, client: device.name, request: { ...request, changes }, access: new Map(device.access) }
  }

  function answer({ device, request }: Sent, exchange: Exchange): void {
    device.state = receive(device.state, device.name, nowMs + device.skewMs, request, exchange)
  }

  const happened = (fault: string) => {
    counts.faults[fault] = (counts.faults[fault] ?? 0) + 1
  }

  async function take(step: Step): Promise<void> {
    if (step.kind === 'call') return call(step.call, step.fate)
    if (step.kind === 'together') return together(step.calls, step.hold)
    if (step.kind === 'deliver') {
      const [sent] = delayed.slice(step.place % (delayed.length || 1))
      if (!sent) return
      if (!step.keep) delayed = delayed.filter((one) => one !== sent)
      happened('late')
      await sendAndExplain(sent)
      return
    }
    if (step.kind === 'tick') {
      nowMs += step.ms
      return
    }
    if (step.kind === 'prune') return pruneAll()
    if (step.kind === 'restart') return restart()
    const device = devices[step.client] as Device
    if (step.kind === 'edit') {
      const { client, kind, scope, row, isConditional, ...change } = step
      const named = { ...change, scope: scopeOf(device, scope), ...(row && { row }) }
      const held = isConditional ? heldRow(device.state, named) : undefined
      const seen = held && { if: { at: held.at, by: held.by } }
      device.state = edit(device.state, nowMs + device.skewMs, { ...named, ...seen })
    } else if (step.kind === 'save') {
      device.saved = device.state
    } else if (step.kind === 'crash') {
      happened('crash')
      device.state = device.saved
    } else if (step.kind === 'jump') {
      happened('clock jump')
      device.skewMs = step.skewMs
    } else {
      const id = `${step.scope}-${prefix}-${counts.runs}`
      happened(step.access ? 'grant' : 'revoke')
      if (step.access) device.access.set(id, step.access)
      else device.access.delete(id)
    }
  }

  type Fate = Extract<Step, { kind: 'call' }>['fate']
  async function call(options: Call, fate: Fate): Promise<void> {
    const sent = prepare(options)
    if (fate.kind !== 'delivered' && !('batch' in fate && server.kill)) happened(fate.kind)
    if (fate.kind === 'delayed') {
      delayed.push(sent)
      return
    }
    if ('batch' in fate && server.kill) return sendAndKill(sent, fate.batch)
    if ('batch' in fate) trouble = newTrouble(fate.kind, fate.batch)
    if (fate.kind === 'repeated') await sendAndExplain(sent)
    const exchange = await sendAndExplain(sent)
    if (fate.kind !== 'answer lost') answer(sent, exchange)
  }

  /**
   * Several clients at the same time. A rival may hold a row meanwhile: whoever writes it goes
   * first and stops half way.
   */
  async function together(calls: readonly Call[], hold: number | null): Promise<void> {
    const all = calls.map(prepare)
    counts.atOnce += all.length
    const wanted = all.flatMap((sent) => sent.request.changes.map((change) => ({ sent, change })))
    const held = rival && hold !== null ? wanted[hold % (wanted.length || 1)] : undefined
    const inOrder = held ? [held.sent, ...all.filter((sent) => sent !== held.sent)] : all
    if (held) await rival?.hold(held.change)
    const going: Promise<Exchange>[] = []
    try {
      for (const sent of inOrder) {
        going.push(send(sent))
        if (held) await rival?.untilBlocked(Promise.allSettled(going))
      }
    } finally {
      if (held) await rival?.release()
    }
    const exchanges = await Promise.all(going)
    scopes = await after(exchanges)
    for (const [place, sent] of inOrder.entries()) answer(sent, exchanges[place] as Exchange)
  }

  /** The state of all scopes after these answers. */
  async function after(exchanges: readonly Exchange[]): Promise<Scopes> {
    const all = new Map(scopes)
    for (const [scope, ends] of explainOrders(scopes, exchanges)) all.set(scope, await endOf(scope, ends))
    return all
  }

  /** Where the answers fit to several orders, the rows tell which of them it was. */
  async function endOf(scope: string, ends: readonly ScopeState[]): Promise<ScopeState> {
    const [first = emptyScope] = ends
    if (ends.length < 2) return first
    const inOrder = (lines: readonly string[]) => lines.toSorted().join('\n')
    const stored = inOrder(await storedLines(store, scope))
    return ends.find((end) => inOrder(rowLines(end)) === stored) ?? first
  }

  /** What of it was kept, the positions tell: a write that was kept has moved them. */
  async function sendAndKill(sent: Sent, ms: number): Promise<void> {
    const written = sent.request.changes.map(({ scope }) => scope)
    const before = await positionsOf(store, written)
    const going = send(sent).catch(() => undefined)
    await sleep(killAfterMs[ms])
    await server.kill?.()
    await untilForgotten(store)
    server = await newServer()
    const exchange = await going
    const now = await positionsOf(store, written)
    const moved = new Set(written.filter((scope) => now.get(scope) !== before.get(scope)))
    const lost: Exchange = { ...sent, now: nowMs * 1000, status: 503, body: { now: 0 }, fault: { written: moved } }
    happened(exchange ? 'kill after the answer' : moved.size > 0 ? 'kill after the commit' : 'kill before the commit')
    scopes = await after([exchange ?? lost])
    if (exchange) answer(sent, exchange)
  }

  async function pruneAll(): Promise<void> {
    const names = database.isPerScope ? [...scopes.keys()] : ['']
    for (const scope of names) {
      const own: Store = { ...store, batch: (named, statements) => store.batch(scope || named, statements) }
      await prune(own, schema, { retentionMs: 0, now: () => nowMs })
    }
    scopes = new Map([...scopes].map(([scope, state]) => [scope, pruneScope(state, nowMs * 1000)]))
  }

  async function restart(): Promise<void> {
    happened('restart')
    await store.close()
    store = await database.open()
    await server.kill?.()
    server = await newServer()
  }

  const scopeOf = ({ subject }: Device, place: number) =>
    place === 0 ? subject : `${shared[place - 1]}-${prefix}-${counts.runs}`

  /** The network heals, clocks are set, and everybody syncs until nothing is left. */
  async function heal(): Promise<void> {
    for (const sent of delayed) await sendAndExplain(sent)
    delayed = []
    nowMs += 600_000
    const options = { half: 'sync', limit: 3, return: 'all', isBroken: false } as const
    for (const round of [1, 2]) {
      for (const [client, device] of devices.entries()) {
        device.skewMs = 0
        for (let tries = 0, isDone = false; !isDone; tries++) {
          if (tries > 60) throw new Broken(`P1 ${device.name} never ends to sync in round ${round}`)
          const sent = prepare({ ...options, client })
          const exchange = await sendAndExplain(sent)
          answer(sent, exchange)
          isDone = exchange.body.more === false && device.state.outbox.length === 0
        }
      }
    }
  }

  /** P1 P2: all clients, a fresh one, the database's own rows and the reference are equal. */
  async function checkAll(): Promise<void> {
    for (const device of devices) {
      const expected = [...device.access.keys()].flatMap((scope) => liveRows(scope, scopes.get(scope)))
      mustBeSame(`P1 the rows of ${device.name}`, expected, [...device.state.rows.values()])
      const fresh: Device = { ...device, state: newClient, saved: newClient }
      for (let more = true; more; ) {
        const sent: Sent = {
          device: fresh,
          client: fresh.name,
          request: compose(fresh.state, 'pull', { limit: 2, return: 'all', scopes: [...device.access.keys()] }),
          access: new Map(device.access),
        }
        const exchange = await sendAndExplain(sent)
        answer(sent, exchange)
        more = exchange.body.more === true
      }
      mustBeSame(`P1 a bootstrap of ${device.name}`, expected, [...fresh.state.rows.values()])
    }
    for (const [scope, state] of scopes)
      mustBeSame(`P2 the rows of ${scope} in the database`, rowLines(state), await storedLines(store, scope))
  }

  return {
    async run(steps) {
      counts.runs++
      const team = `team-${prefix}-${counts.runs}`
      devices = clientNames.map((name, place) => {
        const subject = `${subjects[place]}-${prefix}-${counts.runs}`
        const access = new Map<string, Access>([
          [subject, 'write'],
          [team, 'write'],
        ])
        return { name, subject, access, state: newClient, saved: newClient, skewMs: 0 }
      })
      nowMs = noon / 1000
      scopes = new Map()
      delayed = []
      trouble = undefined
      for (const step of steps) await take(step)
      await heal()
      await checkAll()
    },
    async close() {
      await server.kill?.()
      await store.close()
    },
  }
}
