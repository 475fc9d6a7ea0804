/** What is known of some scopes, those used last. Forgetting one costs asking again. */
export interface Memory<Value> {
  get(scope: string): Value | undefined
  set(scope: string, value: Value): void
}

const scopesMax = 10_000

export function createMemory<Value>(most = scopesMax): Memory<Value> {
  const values = new Map<string, Value>()
  return {
    get: (scope) => values.get(scope),
    set(scope, value) {
      values.delete(scope)
      values.set(scope, value)
      for (const [oldest] of values) {
        if (values.size <= most) break
        values.delete(oldest)
      }
    },
  }
}
