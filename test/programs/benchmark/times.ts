/** Times of the same thing, in milliseconds. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

export const told = (values: readonly number[]) =>
  `${percentile(values, 0.5).toFixed(1)} (p99 ${percentile(values, 0.99).toFixed(1)}, ${values.length} times)`
