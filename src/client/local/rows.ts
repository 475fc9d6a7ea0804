import type { Table } from '../../model/table.ts'
import type { WireRow } from '../../wire/typed.ts'
import type { Database, RowRecord } from '../storage/storage.ts'
import { wholeRow } from './fold.ts'

/** A row as the app sees it. */
export type LocalRow = WireRow & { readonly id: string; readonly scope: string }

export interface RowChange {
  readonly scope: string
  readonly id: string
  readonly row?: LocalRow
}

export const toLocal = (table: Table, { id, scope, row }: RowRecord): LocalRow | undefined =>
  row && { ...wholeRow(table, row), id, scope }

/** The rows of one table in memory, from the first query on, and who listens to them. */
export function createRows(database: Database, table: Table) {
  const listeners = new Set<(change: 'all' | readonly RowChange[]) => void>()
  let rows: Map<string, LocalRow> | undefined
  let loading: Promise<void> | undefined
  let stale = false

  const load = (): Promise<void> => {
    loading ??= (async () => {
      do {
        stale = false
        const records = await database.read((tx) => tx.list('rows', { prefix: [table.wire] }))
        const next = new Map<string, LocalRow>()
        for (const record of records) {
          const row = toLocal(table, record)
          if (row) next.set(keyOf(row), row)
        }
        rows = next
      } while (stale)
      for (const listener of [...listeners]) listener('all')
    })().finally(() => {
      loading = undefined
    })
    return loading
  }

  return {
    /** Undefined until they are loaded. */
    current: (): ReadonlyMap<string, LocalRow> | undefined => rows,
    load: () => (rows && !loading ? Promise.resolve() : load()),
    /** What was stored of the table. */
    changed(records: readonly RowRecord[] | 'all'): void {
      if (records === 'all') {
        if (!rows && !loading) {
          for (const listener of [...listeners]) listener('all')
          return
        }
        if (loading) stale = true
        else void load().catch(() => {})
        return
      }
      const own = records.filter((record) => record.table === table.wire)
      if (own.length === 0) return
      // What is being read may be from before or after it.
      if (loading) stale = true
      const changes = own.map((record): RowChange => {
        const row = toLocal(table, record)
        if (rows) row ? rows.set(keyOf(record), row) : rows.delete(keyOf(record))
        return { scope: record.scope, id: record.id, ...(row && { row }) }
      })
      for (const listener of [...listeners]) listener(changes)
    },
    listen(listener: (change: 'all' | readonly RowChange[]) => void): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

export type Rows = ReturnType<typeof createRows>

const keyOf = ({ scope, id }: { scope: string; id: string }) => `${scope}\n${id}`
