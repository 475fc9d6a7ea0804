/**
 * Clients, a network that loses, repeats and delays, a server that restarts, and a database that fails: runs the steps,
 * and holds every answer against the reference at once, so that a fault is found where it happens.
 */
import { isDeepStrictEqual } from 'node:util'
import { createApp } from '../../src/app.ts'
import { prune } from '../../src/prune.ts'
import { schema } from '../../src/schema.ts'
import { postgresFault, sqliteFault } from '../../src/stores/faults.ts'
import { readsOnly, type Store } from '../../src/stores/store.ts'
import { signToken } from '../../src/token.ts'
import { noon } from '../support/sample.ts'
import { testSecret } from '../support/server.ts'
import { type Body, type ClientRequest, type ClientState, compose, edit, newClient, receive } from './client.ts'
import { Broken, type Exchange, explain, type Scopes } from './explain.ts'
import { type Access, emptyScope, pruneScope, type SentChange, type StoredChange } from './reference.ts'
import type { Rival } from './rival.ts'
import { type Call, clientNames, type Step, shared, subjects } from './steps.ts'
import type { ModelStore } from './stores.ts'

/** What happened so far, over all runs. */
export interface Counts {
  runs: number
  requests: number
  changes: number
  resyncs: number
  atOnce: number
  faults: Record<string, number>
}

export const newCounts = (): Counts => ({ runs: 0, requests: 0, changes: 0, resyncs: 0, atOnce: 0, faults: {} })

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
interface Sent {
  readonly device: Device
  readonly request: ClientRequest
  readonly access: ReadonlyMap<string, Access>
}

/** What the database does to one request, from its batch of that number on. */
interface Trouble {
  readonly kind: 'outage' | 'fault before' | 'fault after'
  readonly batch: number
  batches: number
  fired: boolean
  readonly written: Set<string>
}

export interface World {
  run(steps: readonly Step[]): Promise<void>
  close(): Promise<void>
}

export async function createWorld(database: ModelStore, counts: Counts, rival: Rival | undefined): Promise<World> {
  let store = await database.open()
  let nowMs = noon / 1000
  let trouble: Trouble | undefined
  let devices: Device[] = []
  let scopes: Scopes = new Map()
  let delayed: Sent[] = []
  const prefix = crypto.randomUUID().slice(0, 8)

  function newApp() {
    return createApp({ schema, store: troubled, auth: { secret: testSecret }, now: () => nowMs })
  }
  const troubled: Store = {
    get dialect() {
      return store.dialect
    },
    get limits() {
      return store.limits as NonNullable<Store['limits']>
    },
    async batch(scope, statements) {
      const now = trouble
      const place = now ? now.batches++ : 0
      const isHit = now && (now.kind === 'outage' ? place >= now.batch : place === now.batch)
      if (now && isHit && now.kind !== 'fault after') throw fail(now)
      const results = await store.batch(scope, statements)
      if (!readsOnly(statements)) now?.written.add(scope)
      if (now && isHit) throw fail(now)
      return results
    },
    close: () => store.close(),
  }
  let app = newApp()

  /** As the drivers tell of it, so that what driftline makes of an error is under test as well. */
  function fail(now: Trouble): Error {
    now.fired = true
    const codes = store.dialect.name === 'postgres' ? ['57P01', '53300', undefined] : ['SQLITE_BUSY', 'SQLITE_IOERR']
    const error = { message: 'in trouble', code: codes[now.batch % codes.length] }
    return store.dialect.name === 'postgres' ? postgresFault(error) : sqliteFault(error)
  }

  async function send({ device, request, access }: Sent): Promise<Exchange> {
    const { half, changes, cursor, limit } = request
    const [first, ...more] = access
    const token = await tokenOf(
      first?.[0] ?? '',
      more.map(([id, may]) => ({ id, access: may })),
    )
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const now = nowMs * 1000
    const query = new URLSearchParams({ ...(cursor != null && { cursor }), limit: String(limit) })
    const body = {
      client: device.name,
      changes: changes.map(({ scope, ...change }) => (scope === first?.[0] ? change : { ...change, scope })),
      ...(cursor !== undefined && { cursor }),
      ...(half === 'sync' && { limit }),
      return: request.return,
    }
    const response =
      half === 'pull'
        ? await app.request(`/v1/pull?${query}`, { headers })
        : await app.request(`/v1/${half}`, { method: 'POST', headers, body: JSON.stringify(body) })
    counts.requests++
    counts.changes += changes.length
    if (response.status === 410) counts.resyncs++
    return {
      client: device.name,
      request,
      access,
      now,
      status: response.status,
      body: (await response.json()) as Body,
      fault: trouble?.fired ? { written: trouble.written } : undefined,
    }
  }

  async function sendAndExplain(sent: Sent): Promise<Exchange> {
    const exchange = await send(sent)
    trouble = undefined
    scopes = explain(scopes, [exchange])
    return exchange
  }

  function prepare({ client, half, limit, isBroken, ...wish }: Call): Sent {
    const device = devices[client] as Device
    // What a client lets out it has saved: no stamp is ever given twice.
    device.saved = device.state
    // Once its clock was set back, a request that is still on its way could hold a stamp of another change.
    const returned = device.state.offsetMs === 0 ? wish.return : 'all'
    const request = compose(device.state, half, { limit, return: returned, scopes: [...device.access.keys()] })
    const broken: SentChange = { table: 'todos', op: 'delete', id: 'x', at: null, scope: device.subject }
    const changes = isBroken && half !== 'pull' ? [broken, ...request.changes] : request.changes
    return { device, request: { ...request, changes }, access: new Map(device.access) }
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
      const { client, kind, scope, row, ...change } = step
      const named = { ...change, scope: scopeOf(device, scope), ...(row && { row }) }
      device.state = edit(device.state, nowMs + device.skewMs, named)
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
  async function call(wish: Call, fate: Fate): Promise<void> {
    const sent = prepare(wish)
    if (fate.kind !== 'delivered') happened(fate.kind)
    if (fate.kind === 'delayed') {
      delayed.push(sent)
      return
    }
    if ('batch' in fate) trouble = { kind: fate.kind, batch: fate.batch, batches: 0, fired: false, written: new Set() }
    if (fate.kind === 'repeated') await sendAndExplain(sent)
    const exchange = await sendAndExplain(sent)
    if (fate.kind !== 'answer lost') answer(sent, exchange)
  }

  /** Several clients at the same time. A rival may hold a row meanwhile, so that the first stops half way. */
  async function together(calls: readonly Call[], hold: Extract<Step, { kind: 'together' }>['hold']): Promise<void> {
    const all = calls.map(prepare)
    counts.atOnce += all.length
    const held = rival && hold
    if (held) await rival.hold(held.table, scopeOf(devices[hold.client] as Device, hold.scope), hold.id)
    const going: Promise<Exchange>[] = []
    try {
      for (const sent of all) {
        going.push(send(sent))
        if (held) await rival.untilBlocked(Promise.allSettled(going))
      }
    } finally {
      if (held) await rival.release()
    }
    const exchanges = await Promise.all(going)
    scopes = explain(scopes, exchanges)
    for (const [place, sent] of all.entries()) answer(sent, exchanges[place] as Exchange)
  }

  async function pruneAll(): Promise<void> {
    const names = database.isPerScope ? [...scopes.keys()] : ['']
    for (const scope of names) {
      const own: Store = { ...store, batch: (named, statements) => store.batch(scope || named, statements) }
      await prune(own, schema, { retentionMs: 0 })
    }
    scopes = new Map([...scopes].map(([scope, state]) => [scope, pruneScope(state)]))
  }

  async function restart(): Promise<void> {
    happened('restart')
    await store.close()
    store = await database.open()
    app = newApp()
  }

  const scopeOf = ({ subject }: Device, place: number) =>
    place === 0 ? subject : `${shared[place - 1]}-${prefix}-${counts.runs}`

  /** The network heals, clocks are set, and everybody syncs until nothing is left. */
  async function heal(): Promise<void> {
    for (const sent of delayed) await sendAndExplain(sent)
    delayed = []
    nowMs += 600_000
    const wish = { half: 'sync', limit: 3, return: 'all', isBroken: false } as const
    for (const round of [1, 2]) {
      for (const [client, device] of devices.entries()) {
        device.skewMs = 0
        for (let tries = 0, isDone = false; !isDone; tries++) {
          if (tries > 60) throw new Broken(`P1 ${device.name} never ends to sync in round ${round}`)
          const sent = prepare({ ...wish, client })
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
      const expected = [...device.access.keys()].flatMap((scope) => liveRows(scope))
      mustBeSame(`P1 the rows of ${device.name}`, expected, [...device.state.rows.values()])
      const fresh: Device = { ...device, state: newClient, saved: newClient }
      for (let more = true; more; ) {
        const sent: Sent = {
          device: fresh,
          request: compose(fresh.state, 'pull', { limit: 2, return: 'all', scopes: [...device.access.keys()] }),
          access: new Map(device.access),
        }
        const exchange = await sendAndExplain(sent)
        answer(sent, exchange)
        more = exchange.body.more === true
      }
      mustBeSame(`P1 a bootstrap of ${device.name}`, expected, [...fresh.state.rows.values()])
    }
    for (const [scope, state] of scopes) {
      const stored = await readScope(store, scope)
      const expected = [...state.rows.values()].map(({ table, id, op, at, by, position, row }) =>
        [table, id, op, at, by, position, row?.title ?? row?.name ?? null].join('|'),
      )
      mustBeSame(`P2 the rows of ${scope} in the database`, expected, stored)
    }
  }

  function liveRows(scope: string): object[] {
    const { rows } = scopes.get(scope) ?? emptyScope
    return [...rows.values()]
      .filter(({ op }) => op === 'put')
      .map(({ table, id, at, by, row }: StoredChange) => ({ scope, table, id, at, by, row }))
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
    close: () => store.close(),
  }
}

const tokens = new Map<string, Promise<string>>()

/** Signed once: a signature costs more than most of the rest. */
function tokenOf(sub: string, scopes: readonly { id: string; access: Access }[]): Promise<string> {
  const key = JSON.stringify([sub, scopes])
  const token = tokens.get(key) ?? signToken(testSecret, { sub, scopes })
  if (tokens.size > 1_000) tokens.clear()
  tokens.set(key, token)
  return token
}

async function readScope(store: Store, scope: string): Promise<string[]> {
  const read = (table: string, column: string) =>
    `SELECT '${table}', id, CASE WHEN deleted THEN 'delete' ELSE 'put' END, updated_at, updated_by, position, ${column} FROM ${table} WHERE scope = ${store.dialect.param(1)}`
  const rows = await store.batch(scope, [
    { sql: read('lists', 'name'), params: [scope] },
    { sql: read('todos', 'title'), params: [scope] },
  ])
  return rows.flat().map((row) => row.join('|'))
}

function mustBeSame(what: string, expected: readonly unknown[], got: readonly unknown[]): void {
  const sorted = (some: readonly unknown[]) => some.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  if (!isDeepStrictEqual(sorted(expected), sorted(got)))
    throw new Broken(
      `${what}\n  expected ${JSON.stringify(sorted(expected))}\n  got      ${JSON.stringify(sorted(got))}`,
    )
}
