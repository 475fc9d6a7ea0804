import type { Change } from '../../model/change.ts'
import type { Table } from '../../model/table.ts'
import { inWriteOrder, type RowWrite } from './row-write.ts'

/** Whether a change names a column of a key. A delete gives all keys away. */
export function saysKey({ op, table, values }: Change): boolean {
  return (
    op !== 'delete' && table.unique.some((key) => placesOf(table, key).some((place) => values[place] !== undefined))
  )
}

const placesOf = ({ columns }: Table, key: readonly string[]): number[] =>
  key.map((name) => columns.findIndex((column) => column.name === name))

/** Two puts, the second of which can find taken only what the first has found. */
export function hasSameKeys(before: Change, change: Change): boolean {
  const { op, table, values } = change
  const isSame = (place: number) => before.values[place] === values[place]
  return op === 'put' && before.op === 'put' && table.unique.every((key) => placesOf(table, key).every(isSame))
}

/**
 * Rows of a pass that would take a key that another row of the pass has taken, by the order in
 * which they are written, come in a pass of their own behind it: which of them gets it, only the
 * database knows.
 */
export function apartByKey(rows: readonly RowWrite[]): RowWrite[][] {
  if (!rows.some(({ table }) => table.unique.length > 0)) return [[...rows]]
  const [first, rest]: [RowWrite[], RowWrite[]] = [[], []]
  const taken = new Set<string>()
  for (const row of inWriteOrder(rows)) {
    const keys = keysOf(row)
    if (keys.some((key) => taken.has(key))) rest.push(row)
    else {
      first.push(row)
      for (const key of keys) taken.add(key)
    }
  }
  return rest.length > 0 ? [first, ...apartByKey(rest)] : [first]
}

/** The keys that a row would take, as far as its change says them whole. */
function keysOf({ table, base, created, patch }: RowWrite): string[] {
  const made = base?.op === 'put' ? base.values : created?.created
  return table.unique.flatMap((key) => {
    const values = placesOf(table, key).map((place) => {
      const patched = patch?.columns.get(place)
      return patched ? patched.value : made?.[place]
    })
    const isKey = values.every((value) => value !== undefined && value !== null)
    return isKey ? [JSON.stringify([table.name, key, values])] : []
  })
}
