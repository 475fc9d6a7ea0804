import type { Change } from '../../model/change.ts'
import { groupBy } from '../../model/group-by.ts'

/**
 * The ids that a row's changes hold in their columns, of those that are asked for. Foreign keys go
 * by ids.
 */
export function idsIn(changes: readonly Change[], ids: { has(id: string): boolean }): string[] {
  return changes.flatMap(({ values }) =>
    values.filter((value): value is string => typeof value === 'string' && ids.has(value)),
  )
}

/**
 * Rows in groups in which each refers to each, directly or over others, whatever the table: none of
 * them can be there without the rest. A group comes behind those that it refers to. Else the order
 * is that of the rows. (Tarjan's algorithm for strongly connected components, without recursion: a
 * chain may be as long as a change set.)
 */
export function inReferringGroups(rows: readonly (readonly Change[])[]): (readonly Change[])[][] {
  const byId = groupBy(rows.keys(), (place) => rows[place]?.[0]?.id ?? '')
  const edges = rows.map((row) => idsIn(row, byId).flatMap((id) => byId.get(id) ?? []))
  const groups: (readonly Change[])[][] = []
  const seen: (number | undefined)[] = []
  const low: number[] = []
  const open = new Set<number>()
  const stack: number[] = []
  let count = 0
  const enter = (place: number) => {
    seen[place] = low[place] = count++
    open.add(place)
    stack.push(place)
    return { place, next: 0 }
  }
  for (const start of rows.keys()) {
    if (seen[start] !== undefined) continue
    const path = [enter(start)]
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const { place } = top
      const to = edges[place]?.[top.next++]
      if (to === undefined) {
        path.pop()
        const before = path.at(-1)
        if (before) low[before.place] = Math.min(low[before.place] as number, low[place] as number)
        if (low[place] === seen[place]) groups.push(takeGroup(place))
      } else if (seen[to] === undefined) path.push(enter(to))
      else if (open.has(to)) low[place] = Math.min(low[place] as number, seen[to])
    }
  }
  return groups

  function takeGroup(root: number): (readonly Change[])[] {
    const places = stack.splice(stack.lastIndexOf(root))
    for (const place of places) open.delete(place)
    return places.map((place) => rows[place] as readonly Change[])
  }
}
