/** A promise and what settles it. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>
  readonly resolve: (value: Value) => void
  readonly reject: (reason: unknown) => void
}

/** `Promise.withResolvers`, which Node 20 does not have. */
export function deferred<Value>(): Deferred<Value> {
  const settlers = {} as { resolve: (value: Value) => void; reject: (reason: unknown) => void }
  const promise = new Promise<Value>((resolve, reject) => Object.assign(settlers, { resolve, reject }))
  return { promise, ...settlers }
}
