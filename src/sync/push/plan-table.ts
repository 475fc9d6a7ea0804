import type { Change } from '../../model/change.ts'
import { encodeParts } from '../../sql/parts.ts'
import { changedFields, stepFields } from '../../sql/row-fields.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import { seenFields } from '../../sql/seen-sql.ts'
import type { Field } from '../../sql/statement.ts'
import type { TableSql } from '../../sql/table-sql.ts'
import type { Planned, PushOptions, Role } from './planned.ts'
import { addValues, byKind, keyValues, patchSteps, patchValues, putValues, seenSteps, timeOf } from './row-values.ts'
import { inWriteOrder, type RowWrite } from './row-write.ts'

interface TablePass {
  readonly scope: string
  readonly n: number
  readonly pass: number
  /** The ids that this pass and those behind it write, of a table with unique keys. */
  readonly stillWritten: readonly string[]
}

export function planTable(
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
      const fields = seen && !stampless ? [...sql.adds.fields, ...seenFields] : sql.adds.fields
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
    for (const part of rowsOf(sql.adds.fields, values))
      plan.push({ sql: sql.adds.known, params: [scope, client, n, ...part], reads: true, role: role('known') })
  }
  return plan
}
