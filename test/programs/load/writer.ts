import type { RowState } from '../../../src/model/stamp.ts'
import { signToken } from '../../../src/runtime/sign-token.ts'
import { seededRandom } from '../../support/random.ts'
import { testSecret } from '../../support/server.ts'
import { composeChanges, composeKept, notesOf, type SentChange } from './compose.ts'
import { acknowledge, type Ledger, leaveOpen } from './ledger.ts'
import type { Wire } from './wire.ts'

/**
 * A device that syncs: its changes go up, those of others come down, and it holds the rows of its
 * scope.
 */
export interface Writer {
  readonly ledger: Ledger
  /** Its live rows, as the answers so far have made them. */
  readonly rows: ReadonlyMap<string, RowState>
  /** One sync of 50 changes; milliseconds until its answer, from when it was due, or from now. */
  sync(due?: number): Promise<number>
  /** Puts the rows that all writers of a scope then write. */
  fill(): Promise<void>
  /** Syncs without changes until nothing is left to pull. */
  finish(): Promise<void>
}

export interface WriterOptions {
  readonly wire: Wire
  readonly ledger: Ledger
  readonly client: string
  readonly seed: number
  /** Whether others write the same rows: only then a change may be stale. */
  readonly hasRivals: boolean
  /** Told of whatever should not have happened. */
  readonly onError: (error: string) => void
}

interface SyncAnswer {
  readonly verdicts: readonly { readonly verdict: string; readonly error?: { readonly code: string } }[]
  readonly changes: readonly PulledChange[]
  readonly cursor: string
  readonly more: boolean
}

export interface PulledChange {
  readonly op: string
  readonly id: string
  readonly at: number
  readonly by: string
  readonly row?: { readonly notes: string }
}

export const changesOfSync = 50

export async function createWriter(options: WriterOptions): Promise<Writer> {
  const { wire, ledger, client, seed, hasRivals, onError } = options
  const token = await signToken(testSecret, { sub: ledger.scope })
  const rows = new Map<string, RowState>()
  let cursor: string | null = null
  let more = true
  let lastAt = 0
  const stamp = () => {
    lastAt = Math.max(Date.now() * 1000, lastAt + 1)
    return lastAt
  }
  const draft = { client, random: seededRandom(seed), own: [], stamp }
  const fail = (error: string) => onError(`${client}: ${error}`)

  async function send(changes: readonly SentChange[], due?: number): Promise<number> {
    const body = JSON.stringify({ client, cursor, return: 'lost', changes })
    const began = due ?? performance.now()
    const { status, text } = await wire
      .send('POST', '/v1/sync', token, body)
      .catch((error: Error) => ({ status: 0, text: error.message }))
    const ms = performance.now() - began
    if (status === 200) take(changes, JSON.parse(text))
    else {
      fail(`${status} ${text.slice(0, 200)}`)
      for (const change of changes) leaveOpen(ledger, change.id, stateOf(change, client))
    }
    return ms
  }

  function take(changes: readonly SentChange[], answer: SyncAnswer): void {
    for (const [index, change] of changes.entries()) {
      const { verdict, error } = answer.verdicts[index] ?? { verdict: 'none' }
      if (verdict === 'applied') {
        const state = stateOf(change, client)
        acknowledge(ledger, change.id, state)
        hold(change.id, state)
      } else if (verdict !== 'stale' || !hasRivals) fail(`${change.op} ${change.id}: ${verdict} ${error?.code ?? ''}`)
    }
    for (const change of answer.changes) {
      const fault = faultOf(change)
      if (fault) fail(fault)
      hold(change.id, stateOf(change, change.by))
    }
    cursor = answer.cursor
    more = answer.more
  }

  function hold(id: string, state: RowState): void {
    if (state.deleted) rows.delete(id)
    else rows.set(id, state)
  }

  return {
    ledger,
    rows,
    sync: (due) => send(composeChanges(draft, changesOfSync), due),
    async fill() {
      await send(composeKept(draft))
    },
    async finish() {
      // Bounded: a page has 1,000 rows, and a scope some thousands.
      for (let pages = 0; pages === 0 || (more && pages < 1_000); pages++) await send([])
    },
  }
}

/**
 * A row tells its own stamp: this finds one that was stored or answered with the values of another.
 */
export function faultOf({ op, id, at, by, row }: PulledChange): string | undefined {
  return op === 'delete' || row?.notes === notesOf(by, at) ? undefined : `${id} of ${at} of ${by} says ${row?.notes}`
}

export const stateOf = ({ op, at }: { op: string; at: number }, by: string): RowState => ({
  ...{ at, by, deleted: op === 'delete' },
})
