import { mergeStart } from './merge-histories.ts'
import type { MergeChange, MergeVerdict } from './merge-row.ts'
import type { MergeTableName } from './merge-tables.ts'

/** A small history of one row: who says what, each with its verdict, and what the row then is. */
export interface MergeStory {
  readonly title: string
  readonly table: MergeTableName
  readonly lines: readonly {
    readonly by: string
    readonly change: Omit<MergeChange, 'table' | 'id'>
    readonly expected: MergeVerdict
  }[]
  /** Absent: a tombstone, or nothing. */
  readonly ends?: Readonly<Record<string, unknown>>
}

export type Said = readonly [change: Omit<MergeChange, 'table' | 'id'>, expected: string, by?: string]

/** An expectation is words: `applied updated lost title`, `stale`, `rejected changed`. */
export function story(
  title: string,
  table: MergeTableName,
  lines: readonly Said[],
  ends?: MergeStory['ends'],
): MergeStory {
  const expectedOf = (words: string): MergeVerdict => {
    const [verdict, second, , ...lost] = words.split(' ') as [MergeVerdict['verdict'], string?, string?, ...string[]]
    if (verdict === 'rejected') return { verdict, code: second as string }
    if (verdict !== 'applied') return { verdict }
    const action = second as 'inserted' | 'updated' | 'deleted'
    return { verdict, action, ...(lost.length > 0 && { lost }) }
  }
  return {
    ...{ title, table, ...(ends && { ends }) },
    lines: lines.map(([change, words, by = 'anna']) => ({ by, change, expected: expectedOf(words) })),
  }
}

export const put = (at: number, row: object) =>
  ({ op: 'put', at: mergeStart + at, row: { name: 'x', ...row } }) as const
export const patch = (at: number, row: object) => ({ op: 'patch', at: mergeStart + at, row: { ...row } }) as const
/** A patch that makes the row where there is none. */
export const create = (at: number, row: object) => ({ ...patch(at, row), create: true }) as const
export const del = (at: number) => ({ op: 'delete', at: mergeStart + at }) as const
export const poll = (at: number, row: object) =>
  ({ op: 'put', at: mergeStart + at, row: { title: 'x', ...row } }) as const
/** Only where the row is the one that it saw. */
export const seen = (at: number, by = 'anna') => ({ if: { at: mergeStart + at, by } })
export const inserted = [put(1, { stock: 5, best: 3 }), 'applied inserted'] as const
export const born = [poll(1, { votes: 5, top: 3 }), 'applied inserted'] as const
