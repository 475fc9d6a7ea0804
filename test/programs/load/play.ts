import { type Ledger, newLedger } from './ledger.ts'
import { type Phase, playPhase, type Seen } from './phase.ts'
import type { Wire } from './wire.ts'
import { createWriter, type Writer } from './writer.ts'

export interface PlayOptions {
  readonly wire: Wire
  readonly seed: number
  /** How long each kind of load lasts in all. */
  readonly seconds: number
  /** 32 if left out. Half as many write to the hot scope. */
  readonly users?: number
  readonly onError: (error: string) => void
  /** Told of each round that ended. */
  readonly onRound?: (round: number, rounds: number) => void
}

export const phaseNames = ['users', 'distinct', 'hot', 'others', 'others with distinct', 'others with hot'] as const
export type PhaseName = (typeof phaseNames)[number]

export interface Played {
  readonly users: number
  readonly writers: readonly Writer[]
  readonly ledgers: readonly Ledger[]
  /** Slices of each phase, one a round; the users' is one of its whole length. */
  readonly seen: Readonly<Record<PhaseName, readonly Seen[]>>
  readonly roundMs: number
}

const sliceSecondsMax = 5

/**
 * First all users. Then what is compared, in short slices by turns, so that the moods of a machine
 * meet all of it: half of the users against as many writers of one scope, and the other half, who
 * sync at fixed times, by themselves, beside those writers of a scope each, and beside those of one
 * scope.
 */
export async function play({ wire, seed, seconds, users = 32, onError, onRound }: PlayOptions): Promise<Played> {
  const join = (ledger: Ledger, n: number, hasRivals: boolean) =>
    createWriter({ wire, ledger, client: `${ledger.scope}-${n}`, seed: seed * 1_000 + n, hasRivals, onError })
  const own = await Promise.all(Array.from({ length: users }, (_, n) => join(newLedger(`user${n}`), n, false)))
  const team = newLedger('team')
  const hot = await Promise.all(Array.from({ length: users / 2 }, (_, n) => join(team, n, true)))
  await Promise.all([...own, ...hot.slice(0, 1)].map((writer) => writer.fill()))

  const [some, others] = [own.slice(0, users / 2), own.slice(users / 2)]
  const phases: Record<PhaseName, Phase> = {
    users: { eager: own, paced: [] },
    distinct: { eager: some, paced: [] },
    hot: { eager: hot, paced: [] },
    others: { eager: [], paced: others },
    'others with distinct': { eager: some, paced: others },
    'others with hot': { eager: hot, paced: others },
  }
  const seen: Record<PhaseName, Seen[]> = {
    ...{ users: [], distinct: [], hot: [], others: [], 'others with distinct': [], 'others with hot': [] },
  }
  const playSlice = async (name: PhaseName, ms: number): Promise<Seen> => {
    const { eager, paced } = phases[name]
    await wire.reopen(eager.length + paced.length)
    return playPhase(phases[name], ms)
  }

  const rounds = Math.max(1, Math.round(seconds / sliceSecondsMax))
  const sliceMs = (seconds * 1_000) / rounds
  const compared = phaseNames.slice(1)
  // What a process does for the first time takes longer.
  for (const name of phaseNames) await playSlice(name, sliceMs / 5)
  seen.users.push(await playSlice('users', seconds * 1_000))
  onRound?.(0, rounds)
  for (let round = 1; round <= rounds; round++) {
    for (const name of round % 2 === 0 ? compared.toReversed() : compared)
      seen[name].push(await playSlice(name, sliceMs))
    onRound?.(round, rounds)
  }
  await wire.reopen(0)
  return {
    users,
    writers: [...own, ...hot],
    ledgers: [...own.map(({ ledger }) => ledger), team],
    seen,
    roundMs: compared.length * sliceMs,
  }
}
