/** A value that is looked at and listened to, as `useSyncExternalStore` wants it. */
export interface Readable<V> {
  get(): V
  subscribe(listener: () => void): () => void
}

export interface Settable<V> extends Readable<V> {
  set(value: V): void
}

export function createReadable<V>(first: V): Settable<V> {
  let value = first
  const listeners = new Set<() => void>()
  return {
    get: () => value,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    set(next) {
      if (Object.is(next, value)) return
      value = next
      for (const listener of [...listeners]) listener()
    },
  }
}
