import type { Change } from '../../model/change.ts'
import type { Table } from '../../model/table.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { Trial, TrialKind, TrialPlan } from '../../sql/rehearse-sql.ts'
import { changedFields, reachFields } from '../../sql/row-fields.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import { seenFields } from '../../sql/seen-sql.ts'
import type { Field } from '../../sql/statement.ts'
import type { TableSql } from '../../sql/table-sql.ts'
import { syncEngineOf } from '../adopted/sync-engine.ts'
import { rowBytesMax } from './answer-size.ts'
import { coalesce } from './coalesce.ts'
import { addValues, bulkValues, keyValues, patchValues, putValues, reachOf, seenSteps, timeOf } from './row-values.ts'
import { inWriteOrder, type RowWrite } from './row-write.ts'

export interface TrialOptions {
  readonly client: string
  readonly incarnation: string
  /** The server's time in microseconds. */
  readonly receivedAt: number
  /** Nothing may be swallowed by a trigger. */
  readonly atomic: boolean
  /** Whether each part must satisfy what otherwise only a commit would check. */
  readonly immediate: boolean
}

/**
 * What tries parts of a change set one after the other, all of one scope, by the guards of a real
 * write.
 */
export function planTrial(
  sql: Sql,
  scope: string,
  parts: readonly (readonly Change[])[],
  options: TrialOptions,
): TrialPlan {
  const changes = parts.flat()
  const touched = new Set(changes.map(({ table }) => table))
  const tables = sql.tables.filter(({ table }) => touched.has(table))
  const n = changes.length
  const pass = { scope, n, client: options.client, atomic: options.atomic }
  const adoptedSteps = (rows: readonly RowWrite[]) => syncEngineOf(sql.schema)?.adoptedSteps(sql, pass, rows) ?? []
  return {
    lock: [scope, options.incarnation, n, rowBytesMax(changes)],
    tables: tables.map(({ table }) => table),
    groups: parts.map((part, nth) => {
      const later = parts.slice(nth).flat()
      return coalesce([part]).flatMap((rows) => [
        ...tables.flatMap((table, place) => {
          if (table.adopted) return []
          const written = rows.filter((row) => row.table === table.table)
          const ids = table.keys ? later.filter((change) => change.table === table.table).map(({ id }) => id) : []
          return written.length > 0 ? planTable(sql, table, place, { scope, n, ids }, written, options) : []
        }),
        ...adoptedSteps(rows).map(({ table, kind, params }): Trial => ({ table: tables.indexOf(table), kind, params })),
      ])
    }),
    ids: options.immediate ? parts.map(idsOf) : [],
    immediate: options.immediate,
    nonce: sql.nonce,
  }
}

function idsOf(part: readonly Change[]): { table: Table; ids: string[] }[] {
  const byTable = new Map<Table, Set<string>>()
  for (const { table, id } of part) byTable.set(table, (byTable.get(table) ?? new Set()).add(id))
  return [...byTable].map(([table, ids]) => ({ table, ids: [...ids] }))
}

function planTable(
  { dialect, paramBytesMax }: Sql,
  sql: TableSql,
  table: number,
  { scope, n, ids }: { readonly scope: string; readonly n: number; readonly ids: readonly string[] },
  rows: readonly RowWrite[],
  { client, atomic, receivedAt }: TrialOptions,
): Trial[] {
  const trials = (
    kind: TrialKind,
    params: Trial['params'],
    fields: Parameters<typeof dialect.encodeRows>[0],
    values: readonly (readonly unknown[])[],
  ): Trial[] =>
    values.length === 0
      ? []
      : encodeParts(values, (part) => dialect.encodeRows(fields, part), paramBytesMax).map(
          (part): Trial => ({ kind, table, params: [...params, ...part] }),
        )
  const time = sql.takesTime ? [timeOf(receivedAt)] : []
  const stillWritten = sql.keys ? [dialect.encodeIds(ids)] : []
  const [ofWriter, ofClient] = [
    [scope, n, ...time],
    [scope, client, n, ...time, ...stillWritten],
  ]
  const keyed = sql.keys && atomic ? rows.flatMap((row) => keyValues(sql, row)) : []
  const isSeen = ({ changes }: RowWrite) => changes.some((change) => change.if)
  const isPlain = (row: RowWrite) => !sql.keys && !isSeen(row)
  const based = inWriteOrder(rows.filter(({ base }) => base))
  const byWriter = based
    .filter(isPlain)
    .map((row) => [
      row.id,
      row.ordinal,
      row.base?.at,
      row.base?.by ?? client,
      row.base?.op === 'delete' || null,
      ...(row.base ? bulkValues(row.base) : []),
    ])
  const both = (
    kind: 'put' | 'create' | 'update',
    fields: readonly Field[],
    some: readonly RowWrite[],
    valuesOf: (row: RowWrite) => unknown[],
  ): Trial[] => {
    const [plain, seen] = [some.filter((row) => !isSeen(row)), some.filter(isSeen)]
    const seenKind = ({ put: 'seenPut', create: 'seenCreate', update: 'seenUpdate' } as const)[kind]
    return [
      ...trials(kind, ofClient, fields, plain.map(valuesOf)),
      ...trials(seenKind, ofClient, [...fields, ...seenFields], seen.map(valuesOf)),
    ]
  }
  const rest = based.filter((row) => !isPlain(row))
  const created = rows.filter((row) => row.created)
  const patched = inWriteOrder(rows.filter(({ patch }) => patch))
  const addsOf = (of: boolean) => rows.filter((row) => isSeen(row) === of).flatMap((row) => addValues(row, (at) => at))
  const [added, seenAdds] = [addsOf(false), addsOf(true)]
  const addFields = sql.adds?.fields ?? []
  const seenAddFields = [...addFields, ...seenFields]
  const deletes = based.some(({ base }) => base?.op === 'delete')
  return [
    ...trials('changed', [scope, client], changedFields, atomic ? rows.flatMap(seenSteps) : []),
    ...trials('taken', [scope, client, ...stillWritten], sql.keys?.fields ?? [], keyed),
    ...trials('write', ofWriter, sql.bulk.fields, byWriter),
    ...both('put', sql.rowFields, rest, (row) => putValues(row, row.base as Change, row.base?.at)),
    ...(sql.adds && deletes ? [{ kind: 'forget' as const, table, params: [scope, n] }] : []),
    ...both('create', sql.rowFields, created, (row) => putValues(row, row.created as Change, row.created?.at)),
    ...both('update', sql.patchFields, patched, (row) => patchValues(row, row.patch?.at)),
    ...trials('add', [scope, client, n, ...time], addFields, added),
    ...trials('remember', [scope, client, n], addFields, added),
    ...trials('seenAdd', [scope, client, n, ...time], seenAddFields, seenAdds),
    ...trials('rememberSeen', [scope, client, n], seenAddFields, seenAdds),
    ...trials('swallowed', [scope, client], reachFields, atomic ? rows.map((row) => reachOf(row)) : []),
  ]
}
