/** Whether a scope is among patterns, in which `*` stands for any text. */
export function matchScope(patterns: readonly string[]): (scope: string) => boolean {
  const parts = patterns.map((pattern) =>
    pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')),
  )
  const expressions = parts.map((some) => new RegExp(`^${some.join('.*')}$`, 'su'))
  return (scope) => expressions.some((expression) => expression.test(scope))
}
