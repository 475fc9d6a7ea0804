import type { RowState } from '../../../src/model/stamp.ts'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { openStore } from '../../../src/stores/open.ts'
import { testSecret } from '../../support/server.ts'
import { findBreaches } from './ledger.ts'
import type { Played } from './play.ts'
import type { Wire } from './wire.ts'
import { faultOf, type PulledChange, stateOf } from './writer.ts'

/**
 * P1 P3: every device, once it has pulled all, and a new one hold what was acknowledged and nothing
 * else.
 */
export async function checkClients(wire: Wire, { writers, ledgers }: Played): Promise<string[]> {
  const breaches: string[] = []
  for (const writer of writers) {
    await writer.finish()
    breaches.push(...findBreaches(writer.ledger, writer.rows, false).map((breach) => `a device: ${breach}`))
  }
  for (const ledger of ledgers) {
    const { rows, faults } = await bootstrap(wire, ledger.scope)
    breaches.push(...[...faults, ...findBreaches(ledger, rows, false)].map((breach) => `a bootstrap: ${breach}`))
  }
  return breaches
}

async function bootstrap(wire: Wire, scope: string) {
  const token = await signToken(testSecret, { sub: scope })
  const rows = new Map<string, RowState>()
  const faults: string[] = []
  for (let path = '/v1/pull?limit=1000'; path !== ''; ) {
    const { status, text } = await wire.send('GET', path, token)
    if (status !== 200) return { rows, faults: [...faults, `${scope} was answered with ${status}`] }
    const page: { changes: PulledChange[]; cursor: string; more: boolean } = JSON.parse(text)
    for (const change of page.changes) {
      const fault = faultOf(change)
      if (fault) faults.push(fault)
      rows.set(change.id, stateOf(change, change.by))
    }
    path = page.more ? `/v1/pull?limit=1000&cursor=${page.cursor}` : ''
  }
  return { rows, faults }
}

/**
 * P2: the database's own rows, past driftline, tombstones included; and nothing that nobody sent.
 */
export async function checkDatabase(url: string, { ledgers }: Pick<Played, 'ledgers'>): Promise<string[]> {
  const store = await openStore(url)
  try {
    const breaches: string[] = []
    let known = 0
    for (const ledger of ledgers) {
      const sql = `SELECT id, updated_at, updated_by, CASE WHEN deleted THEN 1 ELSE 0 END FROM todos WHERE scope = ${store.dialect.param(1)}`
      const [stored = []] = await store.batch(ledger.scope, [{ sql, params: [ledger.scope] }])
      const rows = new Map(
        stored.map(([id, at, by, deleted]): [string, RowState] => [
          String(id),
          { at: Number(at), by: String(by), deleted: Number(deleted) === 1 },
        ]),
      )
      known += rows.size
      breaches.push(...findBreaches(ledger, rows, true).map((breach) => `the database: ${breach}`))
    }
    const count = 'SELECT (SELECT count(*) FROM todos) + (SELECT count(*) FROM lists)'
    const [counted] = await store.batch('', [{ sql: count, params: [] }])
    const all = Number(counted?.[0]?.[0])
    if (all !== known) breaches.push(`the database: ${all} rows, of which ${known} are of scopes that were written`)
    return breaches
  } finally {
    await store.close()
  }
}
