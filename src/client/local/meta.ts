import type { MetaRecord, Transaction } from '../storage/storage.ts'

/** Whose database this is. */
export interface Self {
  /** Names this database among all: what its tabs call each other by. */
  readonly database: string
  /** The client's name on the wire. */
  readonly client: string
  readonly scope: string
  /** The `sub` of the first token: no other syncs this database (C10). */
  readonly subject?: string
}

/** What every write moves on. */
export interface Clock {
  /** The greatest stamp that was drawn here or seen from others. */
  readonly last: number
  /** The greatest stamp that the server has told of. */
  readonly seen: number
  /** Milliseconds that the server is ahead of this clock. */
  readonly offset: number
  /** The last number of a change, a rejected one or a notice. */
  readonly seq: number
  readonly pending: number
  readonly bytes: number
}

/** How far the rows are. */
export interface Sync {
  readonly cursor: string | null
  /** The bootstrap of each scope: which one, and whether it has ended. */
  readonly scopes: { readonly [scope: string]: { readonly gen: number; readonly whole: boolean } }
  /** All tables of which there are rows: those of later versions too. */
  readonly tables: readonly string[]
  readonly lastSyncedAt: number | null
  /** Nothing is left to pull, as far as the last answer told. */
  readonly whole: boolean
}

export const newClock: Clock = { last: 0, seen: 0, offset: 0, seq: 0, pending: 0, bytes: 0 }
export const newSync: Sync = { cursor: null, scopes: {}, tables: [], lastSyncedAt: null, whole: false }

interface Metas {
  readonly self: Self
  readonly clock: Clock
  readonly sync: Sync
}

export async function readMeta<N extends keyof Metas>(tx: Transaction, name: N): Promise<Metas[N] | undefined> {
  const [found] = await tx.get('meta', [name])
  return found?.value as Metas[N] | undefined
}

export const readClock = async (tx: Transaction): Promise<Clock> => (await readMeta(tx, 'clock')) ?? newClock
export const readSync = async (tx: Transaction): Promise<Sync> => (await readMeta(tx, 'sync')) ?? newSync

export function writeMeta<N extends keyof Metas>(tx: Transaction, name: N, value: Metas[N]): Promise<void> {
  const record: MetaRecord = { name, value }
  return tx.put('meta', [record])
}

/** A stamp that is later than all that was drawn or seen (C4, C5). */
export const nextStamp = ({ last, offset }: Pick<Clock, 'last' | 'offset'>): number =>
  Math.max((Date.now() + offset) * 1000, last + 1)
