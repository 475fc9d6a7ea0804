import type { Store } from '../../src/stores/store.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { type MergePush, mergeStart } from './merge-histories.ts'
import type { MergeRow } from './merge-reference.ts'
import type { MergeChange, MergeVerdict } from './merge-row.ts'
import { mergeSchema } from './merge-schema.ts'
import { principal } from './sample.ts'

/** A row as it is pulled. */
export interface Pulled extends MergeRow {
  readonly position: number
}
interface Answered {
  readonly verdict: MergeVerdict['verdict']
  readonly action?: MergeVerdict['action']
  readonly lost?: readonly string[]
  readonly error?: { readonly code: string }
  readonly current?: Stored
}
interface Stored extends Pulled {
  readonly op: string
  readonly scope: string
}

const marker = { table: 'notes', op: 'put', id: 'marker', at: mergeStart, row: { title: 'marker' } } as const

/** The product over the tables of merging, whose clock the tests set. */
export function openMergeSync(store: Store) {
  let nowMs = mergeStart / 1000 + 3_600_000
  let scopes = 0
  const sync = createSync({ schema: mergeSchema, store, now: () => nowMs })

  /** A fresh scope, read from its first row on: so its tombstones are seen. */
  async function openScope() {
    const who = principal(`scope${++scopes}`)
    await sync.push(who, { client: 'zoe', changes: [marker] })
    const { cursor } = await sync.pull(who)

    async function answer({ by, changes }: MergePush, returned: 'all' | 'lost' = 'all'): Promise<readonly Answered[]> {
      // The typed rows know their words; here they are drawn by chance.
      const sent = changes as readonly MergeChange[] as never
      return (await sync.push(who, { client: by, changes: sent, return: returned })).verdicts as readonly Answered[]
    }
    return {
      name: who.subject,
      answer,
      push: async (push: MergePush) => (await answer(push)).map(toVerdict),
      async rows(): Promise<Pulled[]> {
        const { changes } = await sync.pull(who, { cursor })
        return (changes as readonly unknown[] as readonly Stored[]).map(toRow)
      },
    }
  }

  return {
    openScope,
    nowMs: () => nowMs,
    /** The server's time as a filled column shows it. */
    now: () => new Date(nowMs).toISOString(),
    tick: () => {
      nowMs += 1000
    },
  }
}
export type MergeSync = ReturnType<typeof openMergeSync>
export type MergeScope = Awaited<ReturnType<MergeSync['openScope']>>

export function toVerdict({ verdict, action, lost, error }: Answered): MergeVerdict {
  return { verdict, ...(action && { action }), ...(lost && { lost }), ...(error && { code: error.code }) }
}

export function toRow({ table, id, at, by, position, row }: Stored): Pulled {
  return { table, id, at, by, position, ...(row && { row }) }
}

/** Rows in one order, without positions. */
export function essence(rows: readonly MergeRow[], without: readonly string[] = []): MergeRow[] {
  return rows
    .map(({ table, id, at, by, row }) => ({ table, id, at, by, ...(row && { row: strip(row, without) }) }))
    .toSorted((a, b) => (`${a.table} ${a.id}` < `${b.table} ${b.id}` ? -1 : 1))
}
const strip = (row: Readonly<Record<string, unknown>>, without: readonly string[]) =>
  Object.fromEntries(Object.entries(row).filter(([name]) => !without.includes(name)))
