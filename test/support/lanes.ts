/** Eight at a time, answers in order. */
export async function inLanes<Item, Result>(
  items: readonly Item[],
  run: (item: Item, n: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const lane = async () => {
    for (let n = next++; n < items.length; n = next++) results[n] = await run(items[n] as Item, n)
  }
  await Promise.all(Array.from({ length: 8 }, lane))
  return results
}
