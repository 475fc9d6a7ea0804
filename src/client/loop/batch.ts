import { outboxMax } from '../local/limits.ts'
import { type OutboxRecord, rowKeyOf, type Transaction } from '../storage/storage.ts'

export interface Batch {
  readonly records: readonly OutboxRecord[]
  /** All of it, or nothing. */
  readonly atomic: boolean
}

/** Changes of one request, where the server takes them. */
export const batchChangesMax = 500
const batchBytesMax = 256 * 1024

/**
 * The oldest changes, up to `most`, and 256 KiB: whole transactions, and an atomic one by itself.
 * What is put off is left out, and so are later changes of its rows.
 */
export async function nextBatch(tx: Transaction, most: number): Promise<Batch | undefined> {
  const now = Date.now()
  const all = await tx.list('outbox', { limit: outboxMax.changes })
  const heldRows = new Set<string>()
  const heldTransactions = new Set<number>()
  const records: OutboxRecord[] = []
  let bytes = 0
  for (let from = 0; from < all.length; ) {
    const first = all[from] as OutboxRecord
    let to = from + 1
    while (to < all.length && all[to]?.tx === first.tx) to++
    const whole = all.slice(from, to)
    from = to
    const isHeld = (record: OutboxRecord) =>
      (record.after ?? 0) > now || heldRows.has(rowKeyOf(record.change).join('\n')) || heldTransactions.has(record.tx)
    const some = first.atomic && whole.some(isHeld) ? [] : whole.filter((record) => !isHeld(record))
    for (const record of whole) {
      if (some.includes(record)) continue
      heldRows.add(rowKeyOf(record.change).join('\n'))
      if (record.atomic) heldTransactions.add(record.tx)
    }
    if (some.length === 0) continue
    const size = some.reduce((sum, record) => sum + record.bytes, 0)
    if (first.atomic) {
      if (records.length === 0) return { records: some, atomic: true }
      break
    }
    const isFull = records.length + some.length > most || bytes + size > batchBytesMax
    if (isFull && records.length > 0) break
    // One that is larger goes out in parts where the server has refused it whole.
    if (isFull && some.length > most && most < batchChangesMax) return { records: some.slice(0, most), atomic: false }
    records.push(...some)
    bytes += size
  }
  return records.length > 0 ? { records, atomic: false } : undefined
}
