import { createBoundedMap } from '../../model/bounded-map.ts'
import type { Change } from '../../model/change.ts'
import { Problem, rejection } from '../../model/errors.ts'
import { isLong } from '../../model/value.ts'
import { roomSql } from '../../sql/room-sql.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { Cells } from '../../sql/statement.ts'
import type { Store } from '../../stores/store.ts'
import { planIds } from '../pull/plan-reads.ts'
import { type Admitted, admitAll, admitBut } from '../push/admitted.ts'
import { keyOf } from '../push/coalesce.ts'
import type { Planned, RoomBound } from '../push/planned.ts'
import { fitChanges, mayGrow, type Room, type Stored } from '../push/room.ts'
import { countInSteps } from './count-room.ts'

/**
 * What one scope may hold, whoever writes to it. Undefined: any number. Tombstones are no rows, and
 * nothing in them counts.
 */
export interface RoomOptions {
  /** Rows that live, over all tables. */
  readonly scopeRowsMax?: number | undefined
  /** Bytes of rows that live: 64 of each, and those of its texts, JSON, bytes and decimals. */
  readonly scopeBytesMax?: number | undefined
}

/** The room that the scopes of a store have. */
export interface Rooms {
  /** Begins to write to a scope. */
  enter(scope: string, use: RoomUse): RoomOfScope
}

/** Who is about to write to a scope. */
export interface RoomUse {
  readonly client: string
  readonly atomic: boolean
  readonly batch: Store['batch']
}

export interface RoomOfScope {
  /**
   * The changes that there is room for, as far as that is known without asking, or where it is
   * known that one must ask.
   */
  before(changes: readonly Change[]): Promise<Admitted>
  /**
   * What the lock is to hold the scope's position against. Undefined: the changes cannot make it
   * hold too much.
   */
  bound(changes: readonly Change[]): RoomBound | undefined
  /** The changes that there is room for. One round trip. Of an atomic set, throws. */
  look(changes: readonly Change[]): Promise<Admitted>
  /** Told of what was written: the positions that it took, and the last of them. */
  written(n: number, position: number): void
}

/**
 * A scope as it was counted, when it was at that position; where it has been since, and how large
 * its rows are.
 */
interface Counted extends Room {
  readonly at: number
  readonly seen: number
  readonly rowBytes: number
}

/**
 * How often a scope is looked at for one change set. Whoever is overtaken each time writes without
 * a bound.
 */
const looksMax = 3
/** When to come again: nobody knows when somebody makes room. */
const retrySeconds = 60

const unlimited = Number.MAX_SAFE_INTEGER
/** Scopes whose count is remembered at the most. */
const countedMax = 10_000

/**
 * A scope's position is never less than its number of rows, and that times the size of its largest
 * row is never less than its bytes. So the lock of a write, which takes its positions anyway, says
 * whether it can be too much, and scopes well below their limits are never counted: no statement,
 * no round trip. Where it could be, the batch undoes itself, and the scope is counted; from then on
 * it is the positions since that say it. Two writes at the same time are held apart by the same
 * bound.
 */
export function createRooms(
  sql: Sql,
  {
    scopeRowsMax,
    scopeBytesMax,
    store: { rowsAtOnceMax },
  }: RoomOptions & { readonly store: Pick<Store, 'rowsAtOnceMax'> },
): Rooms | undefined {
  checkLimit('scopeRowsMax', scopeRowsMax)
  checkLimit('scopeBytesMax', scopeBytesMax)
  if (scopeRowsMax === undefined && scopeBytesMax === undefined) return undefined
  const most: Room = { rows: scopeRowsMax ?? unlimited, bytes: scopeBytesMax ?? unlimited }
  const weighs = scopeBytesMax !== undefined
  const statements = roomSql(sql.dialect, sql.schema, weighs)
  const memory = createBoundedMap<string, Counted>(countedMax)

  /** What was counted may be more than what fits, of a limit that was lowered. */
  const leftOf = (counted: Room): Room => ({
    rows: most.rows === unlimited ? unlimited : most.rows - counted.rows,
    bytes: most.bytes === unlimited ? unlimited : most.bytes - counted.bytes,
  })

  /** The same as the lock asks, of what is known here. */
  function isLikelyEnough({ at, seen, rowBytes, ...counted }: Counted, n: number): boolean {
    const since = seen + n - at
    const { rows, bytes } = leftOf(counted)
    return since <= rows && rowBytes * 2 * since <= bytes
  }

  /** One beyond the limit says enough, where their bytes do not matter. */
  const rowsMax = weighs ? unlimited : most.rows + 1
  const stepRows = Math.min(rowsMax, rowsAtOnceMax ?? rowsMax)

  function planLook(scope: string, changes: readonly Change[], known: Counted | undefined): Planned[] {
    const guard = { reads: true, role: { kind: 'guard' } } as const
    return [
      { sql: statements.head, params: [scope], ...guard },
      ...statements.counts.map((text) => ({ sql: text, params: [scope, known?.at ?? -1, stepRows], ...guard })),
      ...planIds(sql, scope, changes, (table) => statements.sizes.get(table) ?? ''),
    ]
  }

  async function count(scope: string, changes: readonly Change[], batch: Store['batch']) {
    const known = memory.get(scope)
    const plan = planLook(scope, changes, known)
    const results = await batch(scope, plan)
    const [head] = results[0] ?? []
    const position = Number(head?.[0] ?? 0)
    const cells = results.slice(1, 1 + statements.counts.length).map(([row]) => row ?? [])
    const sum = (place: number) => cells.reduce((all, row) => all + Number(row[place] ?? 0), 0)
    const isWhole = sum(0) >= rowsMax || cells.every(([rows]) => Number(rows ?? 0) < stepRows)
    const found = isWhole
      ? { rows: sum(0), bytes: sum(1) }
      : await countInSteps(batch, statements, scope, { position, rowsMax, stepRows })
    const counted: Counted =
      known?.at === position
        ? { ...known, seen: position }
        : { at: position, seen: position, rowBytes: Number(head?.[1] ?? 0), ...found }
    memory.set(scope, counted)
    return { counted, stored: readSizes(sql, plan, results) }
  }

  function enter(scope: string, { client, atomic, batch }: RoomUse): RoomOfScope {
    let looks = 0
    let bound: RoomBound | undefined
    /** Whether what is written leaves the scope's rows and bytes as they were. */
    let still = false

    const room: RoomOfScope = {
      async before(changes) {
        const known = memory.get(scope)
        if (!known || !changes.some(grows) || isLikelyEnough(known, changes.length)) return admitAll(changes)
        return room.look(changes)
      },
      bound(changes) {
        if (looks > 0) return looks < looksMax ? bound : undefined
        if (!changes.some(grows)) {
          still = changes.every(({ op }) => op === 'patch')
          return undefined
        }
        const { at, ...counted } = memory.get(scope) ?? { at: 0, rows: 0, bytes: 0 }
        return { at, ...atLeastNone(leftOf(counted)), isOwnKnown: false }
      },
      async look(changes) {
        looks++
        const { counted, stored } = await count(scope, changes, batch)
        const fit = fitChanges(leftOf(counted), changes, client, (change) => stored.get(keyOf(change)))
        still = fit.still
        bound = fit.grows ? { at: counted.at, ...atLeastNone(fit.left), isOwnKnown: true } : undefined
        const [first] = fit.beyond.values()
        if (first && atomic) throw exceeded(wordsOf(first, most))
        return admitBut(changes, new Map([...fit.beyond].map(([index, lacks]) => [index, beyond(lacks)])))
      },
      written(n, position) {
        const known = memory.get(scope)
        if (!known) return
        // What was counted is true of the new position too.
        const at = still && position === known.at + n ? position : known.at
        memory.set(scope, { ...known, at, seen: position })
      },
    }
    return room
  }

  const grows = (change: Change) => mayGrow(change, weighs)
  const beyond = (lacks: keyof Room) => rejection('quota_exceeded', wordsOf(lacks, most), true)
  return { enter }
}

const atLeastNone = ({ rows, bytes }: Room): Room => ({ rows: Math.max(rows, 0), bytes: Math.max(bytes, 0) })

/** The rows of the statements with sizes, by `keyOf`. */
function readSizes(
  { dialect, tables }: Sql,
  plan: readonly Planned[],
  results: readonly (readonly Cells[])[],
): ReadonlyMap<string, Stored> {
  const stored = new Map<string, Stored>()
  const longOf = new Map(tables.map(({ table }) => [table, table.columns.filter(({ type }) => isLong(type)).length]))
  for (const [place, { role }] of plan.entries()) {
    if (role.kind !== 'states') continue
    for (const row of results[place] ?? []) {
      const [at, by, deleted, id, ...sizes] = dialect.splitLine(row)
      const octets = Array.from({ length: longOf.get(role.table) ?? 0 }, (_, column) => Number(sizes[column] ?? 0))
      const state = { at: Number(at), by: String(by), deleted: Number(deleted) === 1, octets }
      stored.set(keyOf({ table: role.table, id: String(id) }), state)
    }
  }
  return stored
}

function wordsOf(lacks: keyof Room, { rows, bytes }: Room): string {
  return lacks === 'rows'
    ? `A scope may hold ${rows} rows. Delete some of this one, then send the change again.`
    : `A scope may hold ${bytes} bytes of rows. Delete some of this one or make them smaller, then send the change again.`
}

function exceeded(words: string): Problem {
  return new Problem('quota_exceeded', `Nothing was applied. ${words}`, {
    headers: { 'Retry-After': String(retrySeconds) },
  })
}

function checkLimit(name: string, most: number | undefined): void {
  if (most !== undefined && !(Number.isSafeInteger(most) && most > 0 && most < unlimited))
    throw new TypeError(`${name} must be a whole number from 1 on, or left out`)
}
