import { sameText } from '../../model/same-content.ts'
import type { LocalRow, Rows } from './rows.ts'

/** What rows are asked for, without their types. */
export interface PlainQuery {
  readonly scope?: string
  readonly where?: Readonly<Record<string, unknown>> | ((row: LocalRow) => boolean)
  readonly orderBy?: readonly (string | readonly [string, 'desc'])[]
  readonly limit?: number
}

/** The rows that a query finds, the same list until they change. */
export function createQuery(rows: Rows, query: PlainQuery) {
  let known: LocalRow[] | undefined
  let from: unknown
  let isDirty = true
  const find = (): LocalRow[] | undefined => {
    const all = rows.current()
    if (!all) return undefined
    if (!isDirty && from === all) return known
    const next = select([...all.values()], query)
    isDirty = false
    from = all
    if (known && known.length === next.length && known.every((row, place) => row === next[place])) return known
    known = next
    return known
  }
  let listening = 0
  let stop = () => {}
  const listen = () => {
    if (listening++ === 0)
      stop = rows.listen(() => {
        isDirty = true
      })
  }
  return {
    get() {
      if (listening === 0) isDirty = true
      if (!rows.current()) void rows.load().catch(() => {})
      return find()
    },
    subscribe(listener: () => void) {
      listen()
      isDirty = true
      let before = find()
      const end = rows.listen(() => {
        isDirty = true
        const now = find()
        if (now === before) return
        before = now
        listener()
      })
      void rows.load().catch(() => {})
      return () => {
        end()
        if (--listening === 0) stop()
      }
    },
    async rows() {
      await rows.load()
      isDirty = true
      return find() ?? []
    },
  }
}

function select(all: LocalRow[], { scope, where, orderBy = [], limit }: PlainQuery): LocalRow[] {
  let found = scope === undefined ? all : all.filter((row) => row.scope === scope)
  if (typeof where === 'function') found = found.filter(where)
  else if (where) {
    const wanted = Object.entries(where).filter(([, value]) => value !== undefined)
    found = found.filter((row) => wanted.every(([name, value]) => sameText(row[name], value)))
  }
  const orders = orderBy.map((one) => (typeof one === 'string' ? ([one, 1] as const) : ([one[0], -1] as const)))
  const sorted = [...found].sort((one, other) => {
    for (const [name, sign] of orders) {
      const order = compare(one[name], other[name])
      if (order !== 0) return order * sign
    }
    return compare(one.scope, other.scope) || compare(one.id, other.id)
  })
  return limit === undefined ? sorted : sorted.slice(0, limit)
}

/** Null comes first, as in SQLite. */
function compare(one: unknown, other: unknown): number {
  if (one === other) return 0
  if (one === null || one === undefined) return -1
  if (other === null || other === undefined) return 1
  return (one as string) < (other as string) ? -1 : (one as string) > (other as string) ? 1 : 0
}
