import { RejectedError } from '../errors.ts'
import type { Database } from '../storage/storage.ts'
import type { Settled } from './settle.ts'

type Outcome = 'applied' | 'stale'

/** Promises of verdicts, by the numbers of changes. */
export function createConfirmations(database: Database) {
  const waiting = new Map<number, ((settled: Settled) => void)[]>()
  const known = new Map<number, Settled>()
  const knownMax = 10_000

  return {
    /** Verdicts came. */
    settle(all: readonly Settled[]): void {
      for (const settled of all) {
        known.set(settled.seq, settled)
        for (const tell of waiting.get(settled.seq) ?? []) tell(settled)
        waiting.delete(settled.seq)
      }
      for (const seq of known.keys()) {
        if (known.size <= knownMax) break
        known.delete(seq)
      }
    },
    /** The verdict of several changes: stale where one of them is. */
    async of(seqs: readonly number[]): Promise<Outcome> {
      const all = await Promise.all(seqs.map((seq) => outcomeOf(seq)))
      return all.includes('stale') ? 'stale' : 'applied'
    },
  }

  async function outcomeOf(seq: number): Promise<Outcome> {
    const settled =
      known.get(seq) ??
      (await new Promise<Settled>((resolve) => {
        waiting.set(seq, [...(waiting.get(seq) ?? []), resolve])
        // Its verdict may have come before anybody asked for it.
        void findSettled(seq).then(
          (found) => found && resolve(found),
          () => {},
        )
      }))
    if ('error' in settled) throw new RejectedError(settled.error.code, settled.error.detail, settled.error)
    return settled.outcome
  }

  async function findSettled(seq: number): Promise<Settled | undefined> {
    const { rejected, isWaiting } = await database.read(async (tx) => ({
      rejected: (await tx.list('rejected')).find((one) => one.seq === seq || one.covers?.includes(seq)),
      isWaiting: (await tx.list('outbox')).some((one) => one.seq === seq || one.covers?.includes(seq)),
    }))
    if (isWaiting) return undefined
    return known.get(seq) ?? (rejected ? { seq, error: rejected.error } : { seq, outcome: 'applied' })
  }
}
