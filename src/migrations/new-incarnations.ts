import { type Store, StoreFault } from '../stores/store.ts'

/**
 * Gives every scope a new incarnation and says how many there were. Two round trips for every
 * thousand; each thousand is renewed whole or not at all, and renewing one twice costs its clients
 * one more resync and harms nothing.
 */
export async function renewIncarnations(store: Store, random: () => string = randomIncarnation): Promise<number> {
  const { dialect } = store
  const fields = [
    { name: 'scope$', type: 'text' },
    { name: 'incarnation$', type: 'text' },
  ] as const
  const select = `SELECT scope FROM driftline_scopes WHERE scope > ${dialect.param(1)} ORDER BY scope LIMIT 1000`
  const update = `UPDATE driftline_scopes SET incarnation = sent$.incarnation$ FROM ${dialect.decodeRows(fields, 1)} WHERE driftline_scopes.scope = sent$.scope$`
  let renewed = 0
  for (let last = ''; ; ) {
    const [rows = []] = await store.batch('', [{ sql: select, params: [last], reads: true }]).catch(explain)
    if (rows.length === 0) return renewed
    const values = rows.map(([scope]) => [scope, random()])
    await store.batch('', [{ sql: update, params: dialect.encodeRows(fields, values) }])
    renewed += rows.length
    last = String(rows.at(-1)?.[0])
  }
}

function explain(fault: unknown): never {
  if (!(fault instanceof StoreFault) || fault.kind !== 'broken') throw fault
  throw new Error('This database has no readable table driftline_scopes: is DATABASE_URL the one that was restored?', {
    cause: fault,
  })
}

/** 80 random bits. */
function randomIncarnation(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz012345'
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => letters[byte % 32]).join('')
}
