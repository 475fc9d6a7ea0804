import { fillsTime, hasCounters, hasRules } from '../model/merge.ts'
import { isAdopted, type Table, type TableColumn } from '../model/table.ts'
import type { AdoptedSql } from './adopted/adopted-sql.ts'
import { sqlEngineOf } from './adopted/engine.ts'
import { assigned, type BulkSql, bulkSql, onConflictWhere } from './bulk-sql.ts'
import { type AddSql, addSql } from './counter-sql.ts'
import { always, basePosition, type Dialect, rowOctets } from './dialect.ts'
import { grown } from './grown-sql.ts'
import { heldFields, keepsKey } from './held-key-sql.ts'
import { afterPut, isTaken, type KeySql, keySql } from './key-sql.ts'
import type { Raise } from './markers.ts'
import { filledValue, meeting, type Now } from './merge-sql.ts'
import { patching } from './patch-sql.ts'
import { quoted } from './quoted.ts'
import type { TrialKind } from './rehearse-sql.ts'
import { resultLine } from './result-line.ts'
import { changedFields, forecastFields, reachFields, stampKey, stepFields, weightFields } from './row-fields.ts'
import { isStillSeen, seenFields } from './seen-sql.ts'
import type { Field } from './statement.ts'

/**
 * The statements of one table, and of the scope, in one dialect. All text, built once; values come
 * as parameters.
 */
export interface TableSql {
  readonly table: Table
  /** Fields of the upsert's rows, and of the patches'. */
  readonly rowFields: readonly Field[]
  readonly patchFields: readonly Field[]
  /** [scope, client, n, …rows] → result lines; `won` leaves the rows of winners out. */
  readonly upsert: string
  readonly upsertWonOnly: string
  /** The same with stamps that are raised above what is stored: these changes win. */
  readonly upsertStampless: string
  /** [scope, client, n, …patches] → result lines of the patches that won. */
  readonly update: string
  readonly updateStampless: string
  /** As `update`, and gives nothing back. */
  readonly updateSilent: string
  /** [scope, ids, n] → result lines of the rows that this transaction did not write. */
  readonly losers: string
  /** [scope, ids] → result lines without rows: the state before the writes. */
  readonly states: string
  /** [scope, client, …steps]: aborts where one of the patches would find no row. */
  readonly missing: string
  /** The same → ordinal and stamp of each such patch. */
  readonly missingList: string
  /**
   * [scope, client, …reaches]: aborts where a row was not written although nothing newer is stored.
   */
  readonly swallowed: string
  /**
   * An expression over the parameters from `first` on: the bytes of the stored rows, each times its
   * number of changes.
   */
  readonly weight: (first: number) => string
  readonly bulk: BulkSql
  /** Of counters. Undefined: the table has none. */
  readonly adds: AddSql | undefined
  /** Of a table that is adopted: what is written beside its side rows, which have `sideFields`. */
  readonly adopted: AdoptedSql | undefined
  readonly sideFields: readonly Field[]
  /** Of keys that are unique. Undefined: the table has none. */
  readonly keys: KeySql | undefined
  /**
   * What stands behind n in the parameters of all that writes rows: the server's time, and the ids
   * that the change set still writes.
   */
  readonly takesTime: boolean
  /** Statements that few change sets need: made when one does. */
  readonly variant: (options: Variant) => string
  /** The text of a trial, see `TrialPlan`. */
  readonly trial: (kind: TrialKind) => string
  /**
   * [scope, client, …rows] → nothing: aborts where a change would apply and its row is not as its
   * writer saw it.
   */
  readonly changed: string
  /**
   * [scope, source, id, received at, details, …forecasts] → the letters of all changes so far:
   * claims a webhook's id.
   */
  readonly claim: string
}

/** The other ways to write rows. */
export interface Variant {
  /** Puts and deletes, or patches, or the puts of patches where no row lives. */
  readonly kind: 'upsert' | 'update' | 'create'
  /** Only rows that are as their writer saw them. */
  readonly seen?: boolean
  /** Each gets a stamp that is later than what is stored. */
  readonly stampless?: boolean
  /** Gives nothing back. */
  readonly silent?: boolean
}

export function tableSql(dialect: Dialect, table: Table, raise: Raise): TableSql {
  const made = rowsSql(dialect, table.adopted ? { ...table, columns: [] } : table, raise)
  if (!table.adopted) return made
  const fields = fieldsOf(table)
  const engine = sqlEngineOf(table)
  const adopted = isAdopted(table)
    ? engine?.adoptedSql(dialect, engine[dialect.name].spelling, table, raise, fields)
    : undefined
  const { states, weight: _, ...side } = made
  const whole: TableSql = {
    ...{ ...side, states, table, rowFields: fields.row, patchFields: fields.patch, adopted },
    sideFields: made.rowFields,
    weight: weightOf(dialect, table, dialect.param(1)),
    trial: (kind) => trialText(whole, kind),
  }
  return whole
}

/** The fields of the rows of puts and deletes, and of patches. */
function fieldsOf(table: Table): { readonly row: readonly Field[]; readonly patch: readonly Field[] } {
  const { columns } = table
  const row: readonly Field[] = [
    { name: 'id$', type: 'text' },
    { name: 'ordinal$', type: 'integer' },
    { name: 'at$', type: 'integer' },
    { name: 'deleted$', type: 'boolean' },
    ...columns.map(({ key, type }): Field => ({ name: key, type })),
  ]
  const patch: readonly Field[] = [
    ...row.slice(0, 3),
    ...columns.flatMap(({ key, type }): Field[] => [
      { name: key, type },
      { name: stampKey(key), type: 'integer' },
    ]),
    ...(hasCounters(table) ? heldFields(table) : []),
  ]
  return { row, patch }
}

const weightOf = (dialect: Dialect, table: Table, scope: string) => (first: number) =>
  `coalesce((SELECT sum(sent$.times$ * (${rowOctets(table, dialect.octets)})) FROM ${dialect.decodeRows(weightFields, first)} ${dialect.found(table, scope, 'sent$.id$', 'CROSS JOIN')}), 0)`

/** Of a table that is adopted those of its side rows, which have no column of the app. */
function rowsSql(dialect: Dialect, table: Table, raise: Raise): TableSql {
  const [scope, client, n] = [1, 2, 3].map((place) => dialect.param(place)) as [string, string, string]
  const names = table.columns.map(({ name }) => quoted(name))
  const target = dialect.target(table)
  const { row: rowFields, patch: patchFields } = fieldsOf(table)
  const ruled = hasRules(table)
  const takesTime = fillsTime(table)
  const hasKeys = table.unique.length > 0
  const first = 4 + (takesTime ? 1 : 0) + (hasKeys ? 1 : 0)
  const stillWritten = dialect.param(first - 1)
  const now: Now = (column) => dialect.time(dialect.param(4), column)
  const into = `INSERT INTO ${target} AS stored$ (scope, id, updated_at, updated_by, deleted, position, created_position${names.map((name) => `, ${name}`).join('')})`
  const base = `(SELECT ${basePosition(scope, n)} AS base$) AS scope$`
  const position = 'scope$.base$ + sent$.ordinal$'
  // A row that a put made and patches grew has twice the scope's largest at the most, see
  // rowBytesMax.
  const basePatched = `(SELECT ${basePosition(scope, n)} AS base$, (SELECT row_bytes FROM driftline_scopes WHERE scope = ${scope}) AS largest$) AS scope$`
  const found = (join: 'LEFT JOIN' | 'CROSS JOIN') => dialect.found(table, scope, 'sent$.id$', join)
  const withStored = ` ${found('LEFT JOIN')}`
  const free = (held: (column: TableColumn) => string) =>
    hasKeys ? ` AND NOT (${isTaken(dialect, table, stillWritten, held)})` : ''
  const freePut = free((column) =>
    ruled ? afterPut(dialect, table, column, 'sent$.at$', `sent$.${column.key}`) : `sent$.${column.key}`,
  )
  const isSeen = '(found$.updated_at, found$.updated_by) = (sent$.seen_at$, sent$.seen_by$)'
  const onPut = ruled
    ? dialect.onMeeting(meeting(dialect, table))
    : dialect.onConflict(assigned(table, ['updated_at', 'updated_by', 'deleted', 'position']))
  const upsert = (
    returned: 'all' | 'won' | 'nothing',
    stamp = 'sent$.at$',
    before = '',
    condition = always,
    fields: readonly Field[] = rowFields,
  ) => `${into}
SELECT ${scope}, sent$.id$, ${stamp}, ${client}, sent$.deleted$ IS NOT NULL, ${position}, ${position}${table.columns.map((column) => `, ${filledValue(column, `sent$.${column.key}`, position, now, 'sent$.deleted$ IS NULL')}`).join('')}
FROM ${dialect.decodeRows(fields, first)} CROSS JOIN ${base}${before || (hasKeys && ruled ? withStored : '')} WHERE ${condition}${freePut}
${onPut}${returned === 'nothing' ? '' : `\nRETURNING ${resultLine(dialect, table, dialect.returnsLosers ? { beyond: basePosition(scope, n) } : 'all', ruled ? 'all' : returned)}`}`
  // The stored row, overlaid with the patch, as an upsert, which never inserts: a conflict is
  // certain. An UPDATE would write the rows in an order of the database's own, and a unique value
  // may have to move from one to the next.
  const update = (
    returned: 'all' | 'won' | 'nothing',
    isSet: (stamp: string) => string,
    stamp: string,
    guard: string,
    fields: readonly Field[] = patchFields,
  ) => `${into}
SELECT ${scope}, found$.id, ${stamp}, ${client}, found$.deleted, ${position}, found$.created_position${table.columns.map((column) => `, ${overlay(column, isSet)}`).join('')}
FROM ${dialect.decodeRows(fields, first)} CROSS JOIN ${basePatched} ${dialect.found(table, scope, 'sent$.id$', 'CROSS JOIN', 'locked')}
WHERE NOT found$.deleted${guard}${free((column) => overlay(column, isSet))}${grown(dialect, table, (column) => overlay(column, isSet), guard, raise)}
${onConflictWhere(['updated_at', 'updated_by', 'position', ...names].map((column) => [column, `excluded.${column}`]))}${returned === 'nothing' ? '' : `\nRETURNING ${resultLine(dialect, table, 'all', returned)}`}`
  const isLower = `(found$.updated_at, found$.updated_by) < `
  const isNewer = (stamp: string) => `${isLower}(${stamp}, ${client})`
  const guardedUpdate = (returned: 'all' | 'nothing') =>
    ruled ? ruledUpdate(returned) : update(returned, isNewer, 'sent$.at$', ` AND ${isNewer('sent$.at$')}`)
  /**
   * Where columns meet by rules: as `update`, and each column says by itself whether it is taken.
   */
  const ruledUpdate = (returned: 'all' | 'nothing', { stampless = false, seen = false }: Partial<Variant> = {}) => {
    const patch = patching(dialect, table, { scope, client, now, stampKey, stampless })
    const kept = hasCounters(table) ? keepsKey(dialect, table, client, stampless) : undefined
    const guard = ` AND ${patch.applies}${kept === undefined ? '' : ` AND ${kept}`}${seen ? ` AND ${isStillSeen(client)}` : ''}`
    const set = [['position', position] as const, ...patch.selected]
    const fields = seen ? [...patchFields, ...seenFields] : patchFields
    return `INSERT INTO ${target} AS stored$ (scope, id, deleted, created_position, ${set.map(([name]) => name).join(', ')})
SELECT ${scope}, found$.id, found$.deleted, found$.created_position, ${set.map(([, value]) => value).join(', ')}
FROM ${dialect.decodeRows(fields, first)} CROSS JOIN ${basePatched} ${dialect.found(table, scope, 'sent$.id$', 'CROSS JOIN', 'locked')}
WHERE NOT found$.deleted${guard}${free(patch.value)}${grown(dialect, table, patch.value, guard, raise)}
ON CONFLICT (scope, id) DO UPDATE SET ${set.map(([name]) => `${name} = excluded.${name}`).join(', ')}${returned === 'nothing' ? '' : `\nRETURNING ${resultLine(dialect, table, 'all', 'all')}`}`
  }
  const raisedStamp = raised('found$.updated_at')
  // By the rules, an older change may apply.
  const mayApply = ruled ? `(found$.updated_at, found$.updated_by) <> (sent$.at$, ${client})` : isNewer('sent$.at$')
  const makeVariant = ({ kind, seen = false, stampless = false, silent = false }: Variant): string => {
    const returned = silent ? 'nothing' : 'all'
    if (kind === 'update')
      return ruled
        ? ruledUpdate(returned, { stampless, seen })
        : update(
            returned,
            stampless ? (stamp) => `${stamp} IS NOT NULL` : isNewer,
            stampless ? raisedStamp : 'sent$.at$',
            `${stampless ? '' : ` AND ${isNewer('sent$.at$')}`}${seen ? ` AND ${isSeen}` : ''}`,
            seen ? [...patchFields, ...seenFields] : patchFields,
          )
    const vacant = kind === 'create' ? ['(found$.id IS NULL OR found$.deleted)'] : []
    const conditions = [...vacant, ...(seen ? [isSeen] : [])].join(' AND ')
    const fields = seen ? [...rowFields, ...seenFields] : rowFields
    return upsert(returned, stampless ? raisedStamp : 'sent$.at$', withStored, conditions || always, fields)
  }
  const variants = new Map<string, string>()
  const variant = (options: Variant): string => {
    const { kind, seen = false, stampless = false, silent = false } = options
    const key = JSON.stringify([kind, seen, stampless, silent])
    const text = variants.get(key) ?? makeVariant(options)
    variants.set(key, text)
    return text
  }
  // The base is the put or delete before the patch in the change set.
  const missing = (selected: string) => `SELECT ${selected} FROM ${dialect.decodeRows(stepFields, 3)}
${found('LEFT JOIN')}
WHERE CASE WHEN found$.id IS NULL THEN sent$.base_at$ IS NULL OR sent$.base_deleted$
ELSE (found$.deleted AND ${isLower}(sent$.at$, ${client}) AND (sent$.base_at$ IS NULL OR (found$.updated_at, found$.updated_by) >= (sent$.base_at$, ${client})))
OR (sent$.base_deleted$ AND ${isLower}(sent$.base_at$, ${client})) END`
  const made: TableSql = {
    table,
    rowFields,
    patchFields,
    upsert: upsert('all'),
    upsertWonOnly: upsert('won'),
    // Nobody else of driftline's writes the row meanwhile: the scope is locked.
    upsertStampless: upsert('won', raisedStamp, withStored),
    // Each column by itself: a function of the column alone, so that another merge rule would have
    // one place to go.
    update: guardedUpdate('all'),
    updateSilent: guardedUpdate('nothing'),
    updateStampless: ruled
      ? ruledUpdate('all', { stampless: true })
      : update('won', (stamp) => `${stamp} IS NOT NULL`, raisedStamp, ''),
    losers: `SELECT ${resultLine(dialect, table, 'none', 'all')} ${dialect.fromIds(table, scope, client, n)}`,
    states: `SELECT ${resultLine(dialect, table, 'none', ruled ? 'all' : 'none')} ${dialect.fromIds(table, scope, client)}`,
    missing: missing(raise('driftline_missing', 'sent$.ordinal$')),
    missingList: missing('sent$.ordinal$, sent$.at$'),
    swallowed: `SELECT ${raise('driftline_swallowed', 'sent$.ordinal$')} ${swallowedFrom(dialect, table, scope, client, 3)}`,
    bulk: bulkSql(dialect, table),
    adds: addSql(dialect, table, { base, now, line: resultLine(dialect, table, 'all', 'all') }),
    keys: keySql(dialect, table, raise, { line: resultLine(dialect, table, 'none', 'all'), mayApply }),
    takesTime,
    variant,
    trial: (kind) => trialText(made, kind),
    changed: `SELECT ${raise('driftline_changed', 'sent$.ordinal$')} FROM ${dialect.decodeRows(changedFields, 3)} ${found('LEFT JOIN')}
WHERE CASE WHEN found$.id IS NULL THEN ${always} ELSE ${mayApply} AND NOT ${isSeen} END`,
    weight: weightOf(dialect, table, scope),
    adopted: undefined,
    sideFields: rowFields,
    claim: `INSERT INTO driftline_inbox AS inbox$ (scope, source, id, received_at, details, outcome)
SELECT ${[1, 2, 3, 4, 5].map((place) => dialect.param(place)).join(', ')}, string_agg(CASE
WHEN found$.id IS NULL THEN substr(sent$.letters$, 2, 1)
WHEN (found$.updated_at, found$.updated_by) > (sent$.at$, ${client}) THEN 's'
WHEN (found$.updated_at, found$.updated_by) = (sent$.at$, ${client}) THEN CASE WHEN found$.deleted THEN substr(sent$.letters$, 5, 1) ELSE '=' END
WHEN ${isLower}(sent$.base_at$, ${client}) THEN substr(sent$.letters$, 1, 1)
WHEN found$.deleted THEN substr(sent$.letters$, 3, 1) ELSE substr(sent$.letters$, 4, 1) END, '' ORDER BY sent$.ordinal$)
FROM ${dialect.decodeRows(forecastFields, 6)} ${found('LEFT JOIN')} WHERE ${always}
ON CONFLICT (scope, source, id) DO UPDATE SET outcome = inbox$.outcome || excluded.outcome RETURNING outcome`,
  }
  return made
}

function trialText(
  { bulk, updateSilent, adds, keys, changed, swallowed, missing, variant, adopted }: TableSql,
  kind: TrialKind,
): string {
  const silent = true
  switch (kind) {
    case 'write':
      return bulk.upsert
    case 'put':
      return variant({ kind: 'upsert', silent })
    case 'seenPut':
      return variant({ kind: 'upsert', seen: true, silent })
    case 'create':
      return variant({ kind: 'create', silent })
    case 'seenCreate':
      return variant({ kind: 'create', seen: true, silent })
    case 'update':
      return updateSilent
    case 'seenUpdate':
      return variant({ kind: 'update', seen: true, silent })
    case 'changed':
      return changed
    case 'swallowed':
      return swallowed
    case 'taken':
      return keys?.taken ?? ''
    case 'missing':
      return missing
    case 'freePut':
      return variant({ kind: 'upsert', stampless: true, silent })
    case 'freeCreate':
      return variant({ kind: 'create', stampless: true, silent })
    case 'absent':
    case 'replace':
    case 'insert':
    case 'remove':
    case 'mark':
    case 'seenMark':
    case 'patch':
    case 'stamp':
    case 'freeMark':
    case 'freePatch':
    case 'freeStamp':
      if (!adopted) throw new TypeError('A table that is not adopted has no rows beside its own')
      return adopted[kind] ?? ''
    default:
      if (!adds) throw new TypeError('A table without counters has nothing to add to')
      return kind === 'add' ? adds.addSilent : kind === 'seenAdd' ? adds.addSeenSilent : adds[kind]
  }
}

/** A column as a patch leaves it. */
const overlay = ({ name, key }: TableColumn, isSet: (stamp: string) => string) =>
  `CASE WHEN ${isSet(`sent$.${stampKey(key)}`)} THEN sent$.${key} ELSE found$.${quoted(name)} END`

/** A stamp that is later than what is stored, and the server's clock where that is later still. */
const raised = (stored: string) => `CASE WHEN ${stored} >= sent$.at$ THEN ${stored} + 1 ELSE sent$.at$ END`

/**
 * The rows that a trigger kept from being written: no newer stamp is stored, and not this one
 * either.
 */
function swallowedFrom(
  dialect: Pick<Dialect, 'decodeRows' | 'found'>,
  table: Table,
  scope: string,
  client: string,
  first: number,
): string {
  return `FROM ${dialect.decodeRows(reachFields, first)} ${dialect.found(table, scope, 'sent$.id$', 'LEFT JOIN')}
WHERE CASE WHEN found$.id IS NULL THEN sent$.required$ ELSE (found$.updated_at, found$.updated_by) < (sent$.at$, ${client}) END`
}
