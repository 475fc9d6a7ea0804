import type { WireMe } from '../../wire/typed.ts'
import type { Transaction } from '../storage/storage.ts'
import { nextStamp, readClock, readMeta, writeMeta } from './meta.ts'

const offMsMax = 30_000

/** The database belongs to another user: no token of this one syncs it (C10). */
export class AnotherSubject extends Error {}

/**
 * Sets the clock by the server's (CLIENT 4). Where it was off by more than 30 s, changes that were
 * never sent are shifted by the difference, in their order; one that was sent keeps its stamp for
 * ever.
 */
export async function calibrate(tx: Transaction, me: WireMe, middleMs: number): Promise<void> {
  const self = await readMeta(tx, 'self')
  if (!self) return
  if (self.subject !== undefined && self.subject !== me.subject) throw new AnotherSubject()
  if (self.subject === undefined) {
    if (!me.scopes.some(({ id }) => id === self.scope)) throw new AnotherSubject()
    await writeMeta(tx, 'self', { ...self, subject: me.subject })
  }
  const clock = await readClock(tx)
  const offset = Math.round(me.now / 1000 - middleMs)
  const byMs = offset - clock.offset
  if (Math.abs(byMs) <= offMsMax) {
    if (byMs !== 0) await writeMeta(tx, 'clock', { ...clock, offset })
    return
  }
  const all = await tx.list('outbox')
  const isOpen = (sent: boolean | undefined) => !sent
  const open = all.filter(({ sent }) => isOpen(sent))
  const sentLast = Math.max(0, ...all.filter(({ sent }) => sent).map(({ change }) => change.at))
  // What was seen of others stays below what is written here (C5).
  const rows = await tx.get(
    'rows',
    open.map(({ change: { table, scope, id } }) => [table, scope, id] as const),
  )
  let last = 0
  const shifted = open.map((record, place) => {
    const base = rows[place]?.base?.at ?? 0
    const isAfterSent = sentLast <= me.now ? sentLast : 0
    last = Math.max(record.change.at + byMs * 1000, last + 1, base + 1, isAfterSent + 1)
    return { ...record, change: { ...record.change, at: last } }
  })
  await tx.put('outbox', shifted)
  const seen = Math.min(clock.last, nextStamp({ last: 0, offset }))
  await writeMeta(tx, 'clock', { ...clock, offset, last: Math.max(last, seen) })
}
