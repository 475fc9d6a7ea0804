import type { Change } from '../../model/change.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { TrialKind } from '../../sql/rehearse-sql.ts'
import { changedFields, stepFields } from '../../sql/row-fields.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import { seenFields } from '../../sql/seen-sql.ts'
import type { Field } from '../../sql/statement.ts'
import type { TableSql } from '../../sql/table-sql.ts'
import type { Planned, PushOptions } from './planned.ts'
import { byKind, patchSteps, patchValues, putValues, seenSteps } from './row-values.ts'
import type { RowWrite } from './row-write.ts'

/** One statement of a pass over tables that are adopted, by what it does. */
export interface AdoptedStep {
  readonly table: TableSql
  readonly kind: TrialKind
  readonly params: Planned['params']
}

/** A pass in one scope, whose transaction takes `n` positions. */
export interface AdoptedPass {
  readonly scope: string
  readonly n: number
  readonly client: string
  readonly atomic: boolean
  /**
   * Of changes without a stamp, the server's time. Undefined: they have a stamp that is later than
   * all.
   */
  readonly receivedAt?: number
}

/** The rows of one table in a pass. */
interface Written {
  readonly sql: TableSql
  readonly rows: readonly RowWrite[]
}

const writtenIn = ({ tables }: Sql, rows: readonly RowWrite[]): readonly Written[] =>
  tables.flatMap((sql) => {
    const some = rows.filter((row) => row.table === sql.table)
    return sql.adopted && some.length > 0 ? [{ sql, rows: some }] : []
  })

/**
 * What a pass writes of tables that are adopted: their side rows, which judge, and then the rows of
 * the app. Those of one table may refer to those of another, so that parents are put before their
 * children, in the order of the schema, and deleted behind them.
 */
export function adoptedSteps(
  sql: Sql,
  { scope, n, client, atomic, receivedAt }: AdoptedPass,
  passRows: readonly RowWrite[],
): AdoptedStep[] {
  const { dialect, paramBytesMax } = sql
  const tables = writtenIn(sql, passRows)
  const steps = (
    table: TableSql,
    kind: TrialKind,
    before: Planned['params'],
    fields: readonly Field[],
    values: readonly (readonly unknown[])[],
  ): AdoptedStep[] =>
    values.length === 0
      ? []
      : encodeParts(values, (part) => dialect.encodeRows(fields, part), paramBytesMax).map(
          (part): AdoptedStep => ({ table, kind, params: [...before, ...part] }),
        )
  const [ofScope, ofClient, ofWriter] = [
    [scope, n],
    [scope, n, client],
    [scope, client, n],
  ]
  const isFree = ({ stampless }: RowWrite) => stampless && receivedAt !== undefined
  const stampOf = (row: RowWrite, at: number | undefined) => (isFree(row) && at !== undefined ? receivedAt : at)

  const checks = tables.flatMap(({ sql: table, rows }) => [
    ...steps(table, 'missing', [scope, client], stepFields, atomic ? rows.flatMap(patchSteps) : []),
    ...steps(table, 'changed', [scope, client], changedFields, atomic ? rows.flatMap(seenSteps) : []),
  ])
  const sidesOf = (member: 'base' | 'created') =>
    tables.flatMap(({ sql: table, rows }) =>
      byKind(rows.filter((row) => row[member])).flatMap(([{ seen }, kinds]) =>
        [false, true].flatMap((free) => {
          const some = kinds.filter((row) => isFree(row) === free)
          const values = some.map((row) => sideValues(row, row[member] as Change, stampOf(row, row[member]?.at)))
          const kind = sideKinds[member][free ? 'free' : seen ? 'seen' : 'plain']
          return steps(table, kind, ofWriter, seen ? [...table.sideFields, ...seenFields] : table.sideFields, values)
        }),
      ),
    )
  const puts = tables.flatMap(({ sql: table, rows }) => {
    const { rowFields: fields } = table
    const values = rows.flatMap((row) =>
      [row.base, row.created].flatMap((change) =>
        change && change.op !== 'delete' ? [putValues(row, change, change.at).slice(0, fields.length)] : [],
      ),
    )
    return [
      ...steps(table, 'replace', ofScope, fields, values),
      ...(table.adopted?.insert === undefined ? [] : steps(table, 'insert', ofScope, fields, values)),
    ]
  })
  const patches = tables.flatMap(({ sql: table, rows }) => {
    const { patchFields: fields } = table
    return byKind(rows.filter(({ patch }) => patch)).flatMap(([{ seen }, kinds]) =>
      [false, true].flatMap((free) => {
        const some = kinds.filter((row) => isFree(row) === free)
        const values = some.map((row) => patchValues(row, stampOf(row, row.patch?.at), receivedAt))
        const bare = values.map((one) => one.slice(0, fields.length))
        if (free)
          return [
            ...steps(table, 'freeMark', ofScope, fields, bare),
            ...steps(table, 'freePatch', ofScope, fields, bare),
            ...steps(table, 'freeStamp', ofClient, fields, bare),
          ]
        return [
          ...steps(table, seen ? 'seenMark' : 'mark', ofClient, seen ? [...fields, ...seenFields] : fields, values),
          ...steps(table, 'patch', ofClient, fields, bare),
          ...steps(table, 'stamp', ofClient, fields, bare),
        ]
      }),
    )
  })
  const removed = tables.toReversed().flatMap(({ sql: table, rows }) => {
    const values = rows.filter(({ base }) => base?.op === 'delete').map(({ id, ordinal }) => [id, ordinal])
    return steps(table, 'remove', ofScope, table.adopted?.removeFields ?? [], values)
  })
  const absent = tables.flatMap(({ sql: table, rows }) =>
    encodeIds(sql, rows).map((ids): AdoptedStep => ({ table, kind: 'absent', params: [scope, ...ids, n] })),
  )
  return [...checks, ...sidesOf('base'), ...sidesOf('created'), ...puts, ...patches, ...removed, ...absent]
}

/** What writes side rows: puts and deletes, and puts where no row lives. */
const sideKinds = {
  base: { plain: 'put', seen: 'seenPut', free: 'freePut' },
  created: { plain: 'create', seen: 'seenCreate', free: 'freeCreate' },
} as const

/** What a side row keeps of a change: its id, ordinal and stamp, and whether it is a delete. */
function sideValues(row: RowWrite, change: Change, at: number | undefined): unknown[] {
  const values = putValues(row, change, at)
  return [...values.slice(0, 4), ...(change.if ? values.slice(-seenFields.length) : [])]
}

const encodeIds = ({ dialect, paramBytesMax }: Sql, rows: readonly RowWrite[]) =>
  encodeParts(rows, (part) => [dialect.encodeIds(part.map(({ id }) => id))], paramBytesMax)

/** What a push does first where the app was in its way: it waits for its rows, and takes them. */
export function planHold(sql: Sql, scope: string, rows: readonly RowWrite[]): Planned[] {
  const role = { kind: 'guard' } as const
  const { hold, impatient } = sql.settle ?? {}
  if (!hold || !impatient) return []
  const ofTables = (text: 'held' | 'hold', again: 'before' | 'within') =>
    writtenIn(sql, rows).flatMap(({ sql: { adopted }, rows: some }) =>
      encodeIds(sql, some).flatMap((ids): Planned[] => {
        const found = adopted?.[text]
        return found ? [{ sql: found, params: ids, again, role }] : []
      }),
    )
  return [
    ...ofTables('held', 'before'),
    { sql: hold, params: [scope], again: 'within', role },
    { sql: impatient, params: [], again: 'within', role },
    ...ofTables('hold', 'within'),
  ]
}

/** The same for a push, with what is read before and behind. */
export function planAdopted(
  sql: Sql,
  { scope, n, pass }: { readonly scope: string; readonly n: number; readonly pass: number },
  rows: readonly RowWrite[],
  options: PushOptions,
): Planned[] {
  const guard = { kind: 'guard' } as const
  const tables = writtenIn(sql, rows)
  const isForecast = options.inbox !== undefined && !options.isJudged
  const states = tables.flatMap(({ sql: { table, states: text }, rows: some }) => {
    const folded = isForecast ? [] : some.filter(({ alone }) => !alone)
    const role = { kind: 'states', table, pass } as const
    return folded.length > 0
      ? encodeIds(sql, folded).map((ids): Planned => ({ sql: text, params: [scope, ...ids], reads: true, role }))
      : []
  })
  const steps = adoptedSteps(sql, { scope, n, ...options }, rows).map(
    ({ table, kind, params }): Planned => ({ sql: table.trial(kind), params, role: guard }),
  )
  const immediate = sql.settle?.immediate
  const results = tables.flatMap(({ sql: { adopted, table }, rows: some }) =>
    encodeIds(sql, some).flatMap((ids): Planned[] => {
      if (!adopted) return []
      const role = { kind: 'results', table, pass } as const
      return [
        { sql: adopted.late, params: [scope, ...ids], reads: true, role: guard },
        { sql: adopted.results, params: [scope, ...ids, n], reads: true, role },
      ]
    }),
  )
  return [...states, ...steps, ...(immediate ? [{ sql: immediate, params: [], role: guard }] : []), ...results]
}
