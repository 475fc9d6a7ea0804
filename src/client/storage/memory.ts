import { createMutex } from './mutex.ts'
import {
  type Database,
  keyText,
  type OutboxRecord,
  type RowKey,
  rowKeyOf,
  type Storage,
  type StoreName,
  type Stores,
  storeNames,
  type Transaction,
} from './storage.ts'

type Records = { readonly [S in StoreName]: Map<string | number, Stores[S]['record']> }

/**
 * Keeps everything in memory, as long as the value that this gives: who opens it again finds what
 * was there.
 */
export function memory(): Storage {
  const databases = new Map<string, { records: Records; run: ReturnType<typeof createMutex> }>()
  return {
    async open(name) {
      const kept = databases.get(name) ?? { records: newRecords(), run: createMutex() }
      databases.set(name, kept)
      return openMemory(kept, () => databases.delete(name))
    },
  }
}

const newRecords = (): Records => ({
  rows: new Map(),
  outbox: new Map(),
  rejected: new Map(),
  notices: new Map(),
  meta: new Map(),
})

function openMemory(
  { records, run }: { records: Records; run: ReturnType<typeof createMutex> },
  forget: () => void,
): Database {
  return {
    read: (work) => run(() => work(transaction(records, []))),
    write: (work) =>
      run(async () => {
        const undo: (() => void)[] = []
        try {
          return await work(transaction(records, undo))
        } catch (error) {
          for (const one of undo.reverse()) one()
          throw error
        }
      }),
    async close() {},
    async destroy() {
      for (const store of storeNames) records[store].clear()
      forget()
    },
  }
}

const keyOf = (store: StoreName, record: unknown): string | number =>
  store === 'rows'
    ? keyText(rowKeyOf(record as RowKeyed))
    : store === 'meta'
      ? (record as { name: string }).name
      : (record as { seq: number }).seq
type RowKeyed = { table: string; scope: string; id: string }

function transaction(records: Records, undo: (() => void)[]): Transaction {
  const mapOf = <S extends StoreName>(store: S) => records[store] as Map<string | number, Stores[S]['record']>
  const placeOf = (key: unknown) => (Array.isArray(key) ? keyText(key as unknown as RowKey) : (key as string | number))
  const change = (map: Map<string | number, unknown>, key: string | number, record: unknown) => {
    const before = map.get(key)
    undo.push(() => (before === undefined ? map.delete(key) : map.set(key, before)))
    if (record === undefined) map.delete(key)
    else map.set(key, record)
  }
  return {
    async get(store, keys) {
      const map = mapOf(store)
      return keys.map((key) => map.get(placeOf(key)))
    },
    async list(store, { prefix = [], after = Number.NEGATIVE_INFINITY, limit = Number.POSITIVE_INFINITY } = {}) {
      const all = [...mapOf(store).entries()]
      if (store === 'rows') {
        const begin = prefix.map((part) => `${part}\n`).join('')
        return all.filter(([key]) => String(key).startsWith(begin)).map(([, record]) => record)
      }
      if (store === 'meta') return all.map(([, record]) => record)
      return all
        .filter(([key]) => (key as number) > after)
        .sort(([one], [other]) => (one as number) - (other as number))
        .slice(0, limit)
        .map(([, record]) => record)
    },
    async pending(keys) {
      const wanted = new Set(keys.map(keyText))
      const all = [...records.outbox.values()].filter(({ change }) => wanted.has(keyText(rowKeyOf(change))))
      return all.sort((one: OutboxRecord, other: OutboxRecord) => one.seq - other.seq)
    },
    async put(store, some) {
      for (const record of some) change(mapOf(store), keyOf(store, record), record)
    },
    async remove(store, keys) {
      for (const key of keys) change(mapOf(store), placeOf(key), undefined)
    },
  }
}
