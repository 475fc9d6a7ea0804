/** What is remembered of so many keys at the most, those used last. */
export interface BoundedMap<Key, Value> {
  get(key: Key): Value | undefined
  set(key: Key, value: Value): void
  delete(key: Key): void
  clear(): void
}

/** For what may be forgotten at any time: to find it out again must cost time, and nothing else. */
export function createBoundedMap<Key, Value>(most: number): BoundedMap<Key, Value> {
  const values = new Map<Key, Value>()
  const set = (key: Key, value: Value) => {
    values.delete(key)
    values.set(key, value)
    for (const [oldest] of values) {
      if (values.size <= most) break
      values.delete(oldest)
    }
  }
  return {
    get(key) {
      const value = values.get(key)
      // The one used last stands last.
      if (value !== undefined) set(key, value)
      return value
    },
    set,
    delete: (key) => void values.delete(key),
    clear: () => values.clear(),
  }
}
