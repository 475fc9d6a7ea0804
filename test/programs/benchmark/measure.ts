/** One line of the table: a ratio measured in one run, its spread, and what it must be. */
export interface Figure {
  readonly name: string
  readonly ours: string
  readonly theirs: string
  /** Pair by pair, in the direction of the target. */
  readonly ratios: readonly number[]
  readonly target: number
  readonly sense: 'at least' | 'at most'
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

export function isMet({ ratios, target, sense }: Figure): boolean {
  return sense === 'at least' ? median(ratios) >= target : median(ratios) <= target
}

/** Two lines: whether it is met, and its figures. */
export function describeFigure(figure: Figure): string {
  const { name, ours, theirs, ratios, target, sense } = figure
  const spread =
    ratios.length > 1
      ? ` (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}, ${ratios.length} pairs)`
      : ''
  return `${isMet(figure) ? 'ok    ' : 'MISSED'} ${name}\n       ${median(ratios).toFixed(2)}${spread}, ${sense} ${target}; medians ${ours} and ${theirs}`
}

/**
 * One side of a comparison. What `prepare` makes is made before the clock runs: it is the client's
 * work.
 */
export interface Side<Input> {
  readonly prepare: () => Input
  readonly run: (input: Input) => Promise<unknown>
}

/**
 * Runs both in turn, A B A B, so that the machine's moods meet both; gives the cost of each run.
 */
export async function inPairs<A, B>(
  pairs: number,
  cost: (run: () => Promise<unknown>) => Promise<number>,
  ours: Side<A>,
  theirs: Side<B>,
  warmings = 5,
): Promise<{ ours: number[]; theirs: number[] }> {
  const costs = { ours: [] as number[], theirs: [] as number[] }
  const once = <Input>({ prepare, run }: Side<Input>) => {
    const input = prepare()
    return () => run(input)
  }
  for (let warm = 0; warm < warmings; warm++) {
    await once(ours)()
    await once(theirs)()
  }
  for (let pair = 0; pair < pairs; pair++) {
    costs.ours.push(await cost(once(ours)))
    costs.theirs.push(await cost(once(theirs)))
  }
  return costs
}

/** Milliseconds by the wall. */
export async function wallMs(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await run()
  return performance.now() - began
}

/** A figure of the form "so many times faster than the baseline". */
export function faster(name: string, { ours, theirs }: { ours: number[]; theirs: number[] }, target: number): Figure {
  return {
    name,
    ours: ms(ours),
    theirs: ms(theirs),
    ratios: ours.map((cost, pair) => (theirs[pair] ?? 0) / cost),
    target,
    sense: 'at least',
  }
}

/** A figure of the form "within so many times the cost of the baseline". */
export function within(name: string, { ours, theirs }: { ours: number[]; theirs: number[] }, target: number): Figure {
  return {
    name,
    ours: ms(ours),
    theirs: ms(theirs),
    ratios: ours.map((cost, pair) => cost / (theirs[pair] ?? 0)),
    target,
    sense: 'at most',
  }
}

function ms(costs: readonly number[]): string {
  return `${median(costs).toFixed(2)} ms`
}
