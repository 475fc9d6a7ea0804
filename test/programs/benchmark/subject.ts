import { Webhook } from 'standardwebhooks'
import { createApp } from '../../../src/http/app.ts'
import { migrate } from '../../../src/migrations/apply.ts'
import { readMigrations } from '../../../src/migrations/read.ts'
import { signToken } from '../../../src/runtime/sign-token.ts'
import type { Store } from '../../../src/stores/store.ts'
import { sampleMigrations } from '../../support/migrations.ts'
import { schema } from '../../support/schema.ts'
import type { Side } from './measure.ts'

export const benchSecret = 'a secret of the benchmark, 32 bytes or more'
const token = await signToken(benchSecret, { sub: 'alice' })

/** What answers a request: driftline's app or a handler written by hand. */
export interface App {
  request(path: string, init: RequestInit): Response | Promise<Response>
}

export async function createTablesIn(store: Store): Promise<void> {
  await migrate(store, await readMigrations(store.dialect.name, sampleMigrations))
}

export function driftline(store: Store): App {
  const webhookSecrets = { crm: [webhookSecret] }
  return createApp({ schema, store, auth: { secret: benchSecret }, webhookSecrets })
}

const webhookSecret = `whsec_${btoa(benchSecret)}`

/** A side that sends the change set of a push as a webhook, which its sender has signed. */
export function webhooks(app: App, count: number): Side<{ body: string; headers: Record<string, string> }> {
  return {
    prepare: () => {
      const { changes } = JSON.parse(changeSet(count, 'lost', true, false))
      const body = JSON.stringify({ scope: 'alice', changes })
      const id = `msg_${++round}`
      const at = new Date()
      const signature = new Webhook(webhookSecret).sign(id, at, body)
      const stamp = String(Math.floor(at.getTime() / 1000))
      const signed = { 'webhook-id': id, 'webhook-timestamp': stamp, 'webhook-signature': signature }
      return { body, headers: { 'Content-Type': 'application/json', ...signed } }
    },
    run: async ({ body, headers: signed }) =>
      answer(await app.request('/v1/webhooks/crm', { method: 'POST', headers: signed, body })),
  }
}

async function post(app: App, body: string): Promise<string> {
  return answer(
    await app.request('/v1/sync', {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/json' },
      body,
    }),
  )
}
/** A side that pushes a change set of its own with each run. */
export function pushes(
  app: App,
  count: number,
  returned: 'all' | 'lost',
  { staleQuarter = true, times = 1, fresh = false } = {},
): Side<string[]> {
  return {
    prepare: () => Array.from({ length: times }, () => changeSet(count, returned, staleQuarter, fresh)),
    run: async (bodies) => {
      for (const body of bodies) await post(app, body)
    },
  }
}

/**
 * A side that pulls several pages with each run, as a server does that runs one of the two only.
 */
export function pulls(app: App, times = 5): Side<void> {
  return {
    prepare: () => {},
    run: async () => {
      for (let time = 0; time < times; time++) await pull(app, '?limit=1000')
    },
  }
}

async function pull(app: App, query: string): Promise<string> {
  return answer(await app.request(`/v1/pull${query}`, { headers }))
}
export const headers = { Authorization: `Bearer ${token}` }

async function answer(response: Response): Promise<string> {
  const text = await response.text()
  if (response.status !== 200) throw new Error(text.slice(0, 300))
  return text
}

const start = (Date.now() - 3_600_000) * 1000
let round = 0

/** A row as an app has it: short texts, half the notes empty, amounts with cents. */
export function row(n: number): Record<string, unknown> {
  return {
    title: `Buy ${n} litres of milk, not skimmed`,
    done: n % 3 === 0,
    priority: n % 5,
    notes: n % 2 ? 'from the shop at the corner' : null,
    amount: ((n % 10_000) + 1) / 100,
    list_id: 'a1b2c3d4',
  }
}

export function id(n: number): string {
  return `0193f0a0-7c4e-7d7e-9f3a-${String(n).padStart(12, '0')}`
}

/**
 * The body of a change set, newer with each call; a quarter of it is older than what is stored.
 * Over the same rows each time, or with the other three quarters fresh, as a COPY into an empty
 * table has them.
 */
function changeSet(count: number, returned: 'all' | 'lost', staleQuarter: boolean, fresh: boolean): string {
  const at = start + ++round * 1000
  const changes = Array.from({ length: count }, (_, n) => {
    const stale = staleQuarter && n % 4 === 0
    return {
      table: 'todos',
      op: 'put',
      id: id(fresh && !stale ? round * 10_000 + n : n),
      at: stale ? start - 1 : at,
      row: row(n),
    }
  })
  return JSON.stringify({ client: 'phone-7f3a', return: returned, changes })
}
