import type { WireMe } from '../../wire/typed.ts'
import type { Transaction } from '../storage/storage.ts'
import { readClock, readMeta, writeMeta } from './meta.ts'

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
  // A stamp that was sent stays, and no other change has it (C4). What the server has told of stays
  // below what is written here (C5).
  const taken = new Set(all.filter(({ sent }) => sent).map(({ change }) => change.at))
  let last = clock.seen
  const shifted = all
    .filter(({ sent }) => !sent)
    .map((record) => {
      last = Math.max(record.change.at + byMs * 1000, last + 1)
      while (taken.has(last)) last++
      return { ...record, change: { ...record.change, at: last } }
    })
  await tx.put('outbox', shifted)
  while (taken.has(last + 1)) last++
  await writeMeta(tx, 'clock', { ...clock, offset, last })
}
