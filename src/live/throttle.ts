/**
 * Many pokes in a moment become one: a scope's first is passed on at once, and then, once in `ms`,
 * the greatest position that came meanwhile. A scope costs memory only within its moment.
 */
export function throttle(ms: number, pass: (scope: string, position: number) => void) {
  const waiting = new Map<string, number | undefined>()

  function begin(scope: string, position: number): void {
    waiting.set(scope, undefined)
    setTimeout(() => {
      const next = waiting.get(scope)
      waiting.delete(scope)
      if (next !== undefined) begin(scope, next)
    }, ms)
    pass(scope, position)
  }

  return (scope: string, position: number): void => {
    if (waiting.has(scope)) waiting.set(scope, Math.max(position, waiting.get(scope) ?? 0))
    else begin(scope, position)
  }
}
