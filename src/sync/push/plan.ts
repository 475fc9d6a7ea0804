import type { Change } from '../../model/change.ts'
import { cursorFloor } from '../../model/cursor.ts'
import { counterEdit, hasCounters } from '../../model/merge.ts'
import type { Table } from '../../model/table.ts'
import { addFields, seenFields } from '../../sql/merge-sql.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { Field } from '../../sql/statement.ts'
import { changedFields, reachFields, stepFields, type TableSql } from '../../sql/table-sql.ts'
import { planWeight, rowBytesMax } from './answer-size.ts'
import { inWriteOrder, type RowWrite, saysKey } from './coalesce.ts'
import { planClaim } from './inbox/claim.ts'
import { planLock } from './lock.ts'
import { oldEdits } from './old-edits.ts'
import type { Planned, PushOptions, Role } from './planned.ts'

/**
 * The statements of one scope's part of a change set, for one batch: lock the scope, check the
 * cursor, write the tables pass by pass, record whom to tell. Costs one or two statements and one
 * for each table touched on SQLite, two on Postgres, one for each endpoint of outgoing webhooks
 * that matches, and more only where a store takes no parameter that large.
 */
export function planPush(
  sql: Sql,
  scope: string,
  passes: readonly (readonly RowWrite[])[],
  options: PushOptions,
): Planned[] {
  const n = passes.reduce((most, rows) => rows.reduce((top, row) => Math.max(top, row.ordinal), most), 0)
  const { bytesMax, weigh } = options.answer
  const changes = passes.flat().flatMap((row) => row.changes)
  // One change is always answered: whoever sends fewer and fewer gets through. What is known of the
  // largest row is up to three times its size.
  const fits = weigh || changes.length === 1 ? Number.MAX_SAFE_INTEGER : Math.floor((2 * bytesMax) / changes.length)
  const plan = [planLock(sql, scope, options, n, rowBytesMax(changes), fits)]
  if (options.entry) {
    const { incarnation } = options.entry
    plan.push({
      sql: sql.scope.gate,
      params: [scope, incarnation, cursorFloor(options.entry), n],
      reads: true,
      role: { kind: 'guard' },
    })
  }
  const [oldest] = oldEdits(changes, options.receivedAt)
    .map(({ at }) => at)
    .sort((a, b) => a - b)
  if (oldest !== undefined)
    plan.push({ sql: sql.scope.expired, params: [scope, oldest], reads: true, role: { kind: 'guard' } })
  if (weigh && changes.length > 1) plan.push(planWeight(sql, scope, passes, bytesMax))
  if (options.inbox) plan.push(...planClaim(sql, scope, passes, options, options.inbox))
  for (const [pass, rows] of passes.entries()) {
    for (const table of sql.tables) {
      const written = rows.filter((row) => row.table === table.table)
      if (written.length === 0) continue
      const later = table.keys
        ? passes.slice(pass).flatMap((some) => some.filter((row) => row.table === table.table))
        : []
      plan.push(...planTable(sql, table, { scope, n, pass, stillWritten: later.map(({ id }) => id) }, written, options))
    }
  }
  if (options.atomic) plan.push(...planSwallowed(sql, scope, passes, options))
  for (const record of options.recordings ?? [])
    plan.push({ ...record, params: [scope, n, ...record.params], role: { kind: 'guard' } })
  return plan
}

/**
 * All or nothing: aborts where a trigger kept a row from being written, which no error tells of.
 */
function planSwallowed(
  { dialect, tables, paramBytesMax }: Sql,
  scope: string,
  passes: readonly (readonly RowWrite[])[],
  { client, receivedAt }: PushOptions,
): Planned[] {
  const rows = passes.flat()
  return tables.flatMap(({ table, swallowed }) => {
    const values = rows.filter((row) => row.table === table).map((row) => reachOf(row, receivedAt))
    if (values.length === 0) return []
    return encodeParts(values, (part) => dialect.encodeRows(reachFields, part), paramBytesMax).map(
      (part): Planned => ({ sql: swallowed, params: [scope, client, ...part], reads: true, role: { kind: 'guard' } }),
    )
  })
}

/**
 * The values of `reachFields`. Behind a delete no patch finds a row. `stamplessAt` is the least
 * stamp that a change without one gets.
 */
export function reachOf(row: RowWrite, stamplessAt?: number): unknown[] {
  const { id, ordinal, base, created, patch, stampless } = row
  const last = base?.op === 'delete' || patch?.at === undefined ? base : patch
  const isMade = base !== undefined || created !== undefined
  return [id, ordinal, stampless && stamplessAt !== undefined ? stamplessAt : last?.at, isMade]
}

/**
 * The patches that find no row, by ordinal and stamp, each table by a statement. Nothing is
 * written.
 */
export function planMissing(sql: Sql, scope: string, rows: readonly RowWrite[], client: string): Planned[] {
  const { dialect, tables, paramBytesMax } = sql
  return tables.flatMap(({ table, missingList }) => {
    const steps = rows.filter((row) => row.table === table).flatMap(patchSteps)
    if (steps.length === 0) return []
    return encodeParts(steps, (part) => dialect.encodeRows(stepFields, part), paramBytesMax).map(
      (part): Planned => ({ sql: missingList, params: [scope, client, ...part], reads: true, role: { kind: 'guard' } }),
    )
  })
}

interface TablePass {
  readonly scope: string
  readonly n: number
  readonly pass: number
  /** The ids that this pass and those behind it write, of a table with unique keys. */
  readonly stillWritten: readonly string[]
}

function planTable(
  { dialect, paramBytesMax }: Sql,
  sql: TableSql,
  { scope, n, pass, stillWritten }: TablePass,
  rows: readonly RowWrite[],
  options: PushOptions,
): Planned[] {
  const plan: Planned[] = []
  const { client, receivedAt } = options
  const isForecast = options.inbox !== undefined && !options.isJudged
  const role = (kind: 'states' | 'results' | 'known' | 'taken'): Role => ({ kind, table: sql.table, pass })
  const idsOf = (of: readonly RowWrite[]) =>
    encodeParts(of, (part) => [dialect.encodeIds(part.map(({ id }) => id))], paramBytesMax)
  const rowsOf = (fields: readonly Field[], values: readonly (readonly unknown[])[]) =>
    values.length > 0 ? encodeParts(values, (part) => dialect.encodeRows(fields, part), paramBytesMax) : []
  const folded = rows.filter(({ alone }) => !alone)
  const based = inWriteOrder(rows.filter(({ base }) => base))
  const created = rows.filter((row) => row.created)
  const patched = inWriteOrder(rows.filter(({ patch }) => patch))
  const adding = rows.filter(({ adds }) => adds.length > 0)
  if (folded.length > 0 && !isForecast) {
    for (const ids of idsOf(folded))
      plan.push({ sql: sql.states, params: [scope, ...ids], reads: true, role: role('states') })
  }
  if (options.atomic) {
    for (const part of rowsOf(stepFields, rows.flatMap(patchSteps)))
      plan.push({ sql: sql.missing, params: [scope, client, ...part], reads: true, role: { kind: 'guard' } })
    for (const part of rowsOf(changedFields, rows.flatMap(seenSteps)))
      plan.push({ sql: sql.changed, params: [scope, client, ...part], reads: true, role: { kind: 'guard' } })
  }
  const keyed = sql.keys ? rows.flatMap((row) => keyValues(sql, row)) : []
  const ids = sql.keys ? [dialect.encodeIds(stillWritten)] : []
  if (sql.keys) {
    for (const part of rowsOf(sql.keys.fields, keyed)) {
      const params = [scope, client, ...ids, ...part]
      if (options.atomic) plan.push({ sql: sql.keys.taken, params, reads: true, role: { kind: 'guard' } })
      else plan.push({ sql: sql.keys.look, params, reads: true, role: role('taken') })
    }
  }
  const time = sql.takesTime ? [timeOf(receivedAt)] : []
  // A change without a stamp takes the server's time, or what is later than the stored stamp.
  const stampOf = ({ stampless }: RowWrite, at: number | undefined) => (stampless && at !== undefined ? receivedAt : at)
  const write = (
    text: string,
    fields: readonly Field[],
    values: readonly (readonly unknown[])[],
    before = [...time, ...ids],
  ) => {
    for (const part of rowsOf(fields, values))
      plan.push({ sql: text, params: [scope, client, n, ...before, ...part], role: role('results') })
  }
  const writePuts = () => {
    for (const [{ stampless, seen }, some] of byKind(based)) {
      const values = some.map((row) => putValues(row, row.base as Change, stampOf(row, row.base?.at)))
      const isHeld = options.return === 'lost' && folded.length === 0 && !some.some(({ base }) => base?.respelled)
      const isWonOnly = (isForecast || isHeld) && !sql.table.rewrites
      const plain = stampless ? sql.upsertStampless : isWonOnly ? sql.upsertWonOnly : sql.upsert
      if (seen) write(sql.variant({ kind: 'upsert', seen, stampless }), [...sql.rowFields, ...seenFields], values)
      else write(plain, sql.rowFields, values)
    }
    if (sql.adds && based.some(({ base }) => base?.op === 'delete'))
      plan.push({ sql: sql.adds.forget, params: [scope, n], role: { kind: 'guard' } })
    for (const [{ stampless, seen }, some] of byKind(created)) {
      const values = some.map((row) => putValues(row, row.created as Change, stampOf(row, row.created?.at)))
      const fields = seen ? [...sql.rowFields, ...seenFields] : sql.rowFields
      write(sql.variant({ kind: 'create', seen, stampless }), fields, values)
    }
  }
  const writePatches = () => {
    for (const [{ stampless, seen }, some] of byKind(patched)) {
      const values = some.map((row) => patchValues(row, stampOf(row, row.patch?.at), receivedAt))
      if (seen) write(sql.variant({ kind: 'update', seen, stampless }), [...sql.patchFields, ...seenFields], values)
      else write(stampless ? sql.updateStampless : sql.update, sql.patchFields, values)
    }
  }
  const writeAdds = () => {
    if (!sql.adds) return
    for (const [{ stampless, seen }, some] of byKind(adding)) {
      const values = some.flatMap((row) => addValues(row, (at) => stampOf(row, at)))
      const { add, remember, addSeen, rememberSeen, addStampless, rememberStampless } = sql.adds
      const fields = seen && !stampless ? [...addFields, ...seenFields] : addFields
      write(stampless ? addStampless : seen ? addSeen : add, fields, values, time)
      for (const part of rowsOf(fields, values)) {
        const text = stampless ? rememberStampless : seen ? rememberSeen : remember
        plan.push({ sql: text, params: [scope, client, n, ...part], role: { kind: 'guard' } })
      }
    }
  }
  // A patch that is older than all puts may free a value that one of them takes.
  const [firstPut] = based.filter(({ base }) => base?.op === 'put')
  const [firstPatch] = patched
  if (
    firstPut &&
    firstPatch &&
    (firstPatch.patch?.at ?? 0) < (firstPut.base?.at ?? 0) &&
    !patched.some(({ base, created: made }) => base || made)
  ) {
    writePatches()
    writePuts()
  } else {
    writePuts()
    writePatches()
  }
  writeAdds()
  // What became of a webhook's changes is known by its claim, but for whether a stamp came with
  // other content.
  const read = isForecast ? rows.filter(({ stampless }) => !stampless) : rows
  const isReturned = ({ base }: RowWrite) => base !== undefined && base.if === undefined && !sql.keys
  const unseen = dialect.returnsLosers ? read.filter((row) => !isReturned(row)) : read
  if (unseen.length > 0) {
    for (const ids of idsOf(unseen))
      plan.push({ sql: sql.losers, params: [scope, ...ids, n], reads: true, role: role('results') })
  }
  if (sql.adds) {
    const values = adding.filter(({ stampless }) => !stampless).flatMap((row) => addValues(row, (at) => at))
    for (const part of rowsOf(addFields, values))
      plan.push({ sql: sql.adds.known, params: [scope, client, n, ...part], reads: true, role: role('known') })
  }
  return plan
}

/** The values of `fields` of the keys, where the row's first change says one. */
export function keyValues({ keys }: TableSql, row: RowWrite): unknown[][] {
  const [change] = row.changes
  if (!keys || !change || !saysKey(change)) return []
  const { table, id, ordinal } = row
  const made = change.created ?? change.values
  const values = keys.columns.flatMap((column) => {
    const place = table.columns.indexOf(column)
    return change.values[place] === undefined
      ? [made[place], change.created ? true : null]
      : [change.values[place], true]
  })
  return [[id, ordinal, change.at, ...values]]
}

/** The server's time as a parameter, with six digits of a second. */
export function timeOf(micros: number): string {
  return new Date(Math.floor(micros / 1000)).toISOString().replace('Z', `${String(micros % 1000).padStart(3, '0')}Z`)
}

/** The values of `rowFields`, and of `seenFields` behind them where the change asks for that. */
export function putValues({ id, ordinal, table }: RowWrite, change: Change, at: number | undefined): unknown[] {
  const values = change.created ?? change.values
  return [id, ordinal, at, change.op === 'delete' || null, ...firstValues(table, values), ...seenValues(change)]
}

const seenValues = ({ if: seen, at }: Change) => (seen ? [seen.at, seen.by, at] : [])

/** What a new row holds: of a counter the number that it begins with. */
export function firstValues(table: Table, values: readonly unknown[]): readonly unknown[] {
  if (!hasCounters(table)) return values
  return values.map((value, place) => (table.columns[place]?.merge === 'counter' && counterEdit(value) ? 0 : value))
}

/** The values of `addFields`, a row each, and of `seenFields` behind them. */
export function addValues(
  { id, ordinal, table, adds, changes }: RowWrite,
  stampOf: (at: number) => number | undefined,
): unknown[][] {
  const seen = changes.slice(0, 1).flatMap(seenValues)
  return adds.map(({ place, at, n }) => [id, ordinal, stampOf(at), table.columns[place]?.name, n, ...seen])
}

/** The values of `patchFields`, and of `seenFields` behind them where the change asks for that. */
export function patchValues(row: RowWrite, at: number | undefined, receivedAt?: number): unknown[] {
  const { id, ordinal, table, patch, stampless, changes } = row
  return [
    id,
    ordinal,
    at,
    ...table.columns.flatMap((_, place) => {
      const set = patch?.columns.get(place)
      return set ? [set.value, stampless ? (receivedAt ?? set.at) : set.at] : [null, null]
    }),
    ...changes.slice(0, 1).flatMap(seenValues),
  ]
}

interface Kind {
  readonly stampless: boolean
  readonly seen: boolean
}

/**
 * Rows by how they are written: without stamps, and only as they were seen, which is one change.
 */
function byKind(rows: readonly RowWrite[]): (readonly [kind: Kind, rows: readonly RowWrite[]])[] {
  const kinds = [false, true].flatMap((seen) => [false, true].map((stampless): Kind => ({ seen, stampless })))
  const isSeen = ({ changes }: RowWrite) => changes.some((change) => change.if)
  const parts = kinds.map(
    (kind) => [kind, rows.filter((row) => row.stampless === kind.stampless && isSeen(row) === kind.seen)] as const,
  )
  return parts.filter(([, some]) => some.length > 0)
}

/** Changes that ask for a row as it was seen: the values of `changedFields`. */
export function seenSteps({ id, ordinal, changes }: RowWrite): unknown[][] {
  return changes.flatMap((change) => (change.if ? [[id, ordinal, change.at, ...seenValues(change).slice(0, 2)]] : []))
}

/**
 * The patches of a row that could find no row, each with the put or delete before it in the change
 * set.
 */
function patchSteps({ id, ordinal, changes }: RowWrite): unknown[][] {
  const steps: unknown[][] = []
  let before: Change | undefined
  for (const [place, change] of changes.entries()) {
    // The second of two equal stamps never applies: it is the duplicate of the first.
    if (changes[place - 1]?.at === change.at) continue
    if (change.op === 'patch' && !change.created)
      steps.push([id, ordinal, change.at, before?.at, before && before.op === 'delete'])
    else before = change
  }
  return steps
}
