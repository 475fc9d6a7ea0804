import type { AppTable } from '../../model/adopted.ts'
import type { AdoptedTable, Table, TableColumn } from '../../model/table.ts'
import { basePosition, type Dialect } from '../dialect.ts'
import type { Raise } from '../markers.ts'
import { quoted } from '../quoted.ts'
import { resultLine } from '../result-line.ts'
import { stampKey } from '../row-fields.ts'
import { seenFields } from '../seen-sql.ts'
import type { Field } from '../statement.ts'
import { type AdoptedSpelling, isAlive, scopeColumn, sourceOf, writable } from './spelling.ts'

/**
 * What a push writes of a table that is adopted (ADOPT 4). Its side rows are written as the rows of
 * any table are, by the guard of last writer wins; a row of the app follows where its side row has
 * got the position of the change, so that nobody judges twice. An upsert of the app's row would
 * fire its triggers of an INSERT where it is there, and ask for columns that phones do not know.
 */
export interface AdoptedSql {
  /** [scope, n, …rows] → nothing: the rows of the app whose puts have won. */
  readonly replace: string
  /** Undefined: the app's database makes the keys. */
  readonly insert: string | undefined
  /** [scope, n, …ids and ordinals] → nothing: those whose deletes have won. */
  readonly remove: string
  readonly removeFields: readonly Field[]
  /** [scope, n, client, …patches] → nothing: gives side rows of the patches that win positions. */
  readonly mark: string
  readonly seenMark: string
  /** The same: the rows of the app, by the stamps that are stored still, and then the stamps. */
  readonly patch: string
  readonly stamp: string
  /** [scope, n, …patches] → nothing: those of patches that come without a stamp, and win. */
  readonly freeMark: string
  readonly freePatch: string
  /** [scope, n, client, …patches] */
  readonly freeStamp: string
  /** [scope, ids, n] → result lines. */
  readonly results: string
  /** [scope, ids, n]: aborts where a change has won and the app has no such row in the scope. */
  readonly absent: string
  /** [scope, ids]: aborts where the app has written one of the rows, and that is not settled. */
  readonly late: string
  /**
   * [ids] → which transaction holds the first of these rows that others hold. It waits for nobody,
   * and holds nothing itself but for its own transaction.
   */
  readonly held: string | undefined
  /** [ids] → nothing: nobody else writes the rows from here on. */
  readonly hold: string | undefined
}

export function adoptedSql(
  dialect: Dialect,
  spelling: AdoptedSpelling,
  table: AdoptedTable,
  raise: Raise,
  fields: { readonly row: readonly Field[]; readonly patch: readonly Field[] },
): AdoptedSql {
  const { adopted } = table
  const [scope, n, client] = [1, 2, 3].map((place) => dialect.param(place)) as [string, string, string]
  const [app, side] = [spelling.app(adopted), spelling.side(table)]
  const key = quoted(adopted.key)
  const rest = writable(table)
  const base = `(SELECT ${basePosition(scope, n)} AS base$) AS scope$`
  const position = 'scope$.base$ + sent$.ordinal$'
  const stateOf = (what: string) => `(SELECT ${what} FROM ${side} WHERE ${dialect.byKey(scope, 'sent$.id$')})`
  const wins = (deleted: boolean) =>
    `${stateOf(`CASE WHEN ${deleted ? 'deleted' : 'NOT deleted'} THEN position END`)} = ${position}`
  const idValue = spelling.key(adopted, 'sent$.id$')
  const isRow = (row: string) => `${row}.${key} = ${idValue} AND ${spelling.scope(adopted, row)} = ${scope}`
  const write = (column: TableColumn, value = `sent$.${column.key}`) =>
    spelling.write(adopted, sourceOf(column), value, column.type)
  // The app's database makes the keys.
  const isMade = adopted.keyType === 'integer'
  const revived = adopted.softDelete === undefined ? [] : [[quoted(adopted.softDelete), 'NULL'] as const]
  const set = [...rest.map((column) => [quoted(sourceOf(column)), write(column)] as const), ...revived]
  const sideTable: Table = { ...table, columns: [] }
  const found = dialect.found(sideTable, scope, 'sent$.id$', 'CROSS JOIN')
  const isNewer = (stamp: string) => `(found$.updated_at, found$.updated_by) < (${stamp}, ${client})`
  const raised = 'CASE WHEN found$.updated_at >= sent$.at$ THEN found$.updated_at + 1 ELSE sent$.at$ END'
  const patches = (first: number, more: readonly Field[] = []) =>
    `FROM ${dialect.decodeRows([...fields.patch, ...more], first)} CROSS JOIN ${base} ${found}`
  const sideInto = `INSERT INTO ${side} AS stored$ (scope, id, updated_at, updated_by, deleted, position, created_position)`
  const own = scopeColumn(adopted)
  const inserted = [
    [key, idValue],
    ...(own === undefined ? [] : [[quoted(own), spelling.write(adopted, own, scope, 'text')]]),
    ...rest
      .filter((column) => ![adopted.key, own].includes(sourceOf(column)))
      .map((column) => [quoted(sourceOf(column)), write(column)]),
  ] as const
  const mark = (first: number, guard: string, more: readonly Field[] = []) => `${sideInto}
SELECT ${scope}, found$.id, found$.updated_at, found$.updated_by, found$.deleted, ${position}, found$.created_position
${patches(first, more)}
WHERE NOT found$.deleted${guard}
ON CONFLICT (scope, id) DO UPDATE SET position = excluded.position`
  const patch = (first: number, isSet: (stamp: string) => string) => {
    const overlaid = rest.map((column) => {
      const name = quoted(sourceOf(column))
      return `${name} = CASE WHEN ${isSet(`sent$.${stampKey(column.key)}`)} THEN ${write(column)} ELSE app$.${name} END`
    })
    return `UPDATE ${app} AS app$ SET ${overlaid.join(', ')}
${patches(first)}
WHERE ${isRow('app$')} AND NOT found$.deleted AND found$.position = ${position}`
  }
  const stamp = (at: string) => `${sideInto}
SELECT ${scope}, found$.id, ${at}, ${client}, found$.deleted, ${position}, found$.created_position
${patches(4)}
WHERE NOT found$.deleted AND found$.position = ${position}
ON CONFLICT (scope, id) DO UPDATE SET updated_at = excluded.updated_at, updated_by = excluded.updated_by`
  const asked = { ids: dialect.param(2), n: dialect.param(3) }
  const ofIds = dialect.fromIds(table, scope, asked.ids)
  return {
    replace: `UPDATE ${app} AS app$ SET ${set.map(([name, value]) => `${name} = ${value}`).join(', ')}
FROM ${dialect.decodeRows(fields.row, 3)} CROSS JOIN ${base} WHERE ${isRow('app$')} AND ${wins(false)}`,
    insert: isMade
      ? undefined
      : `INSERT INTO ${app} (${inserted.map(([name]) => name).join(', ')})
SELECT ${inserted.map(([, value]) => value).join(', ')}
FROM ${dialect.decodeRows(fields.row, 3)} CROSS JOIN ${base} WHERE ${wins(false)} AND NOT EXISTS (SELECT 1 FROM ${app} AS there$ WHERE there$.${key} = ${idValue})
ON CONFLICT (${key}) DO NOTHING`,
    remove: `${adopted.softDelete === undefined ? `DELETE FROM ${app} AS app$` : `UPDATE ${app} AS app$ SET ${quoted(adopted.softDelete)} = ${spelling.now}`}
WHERE ${spelling.scope(adopted, 'app$')} = ${scope}${isAlive(adopted, 'app$')} AND app$.${key} IN (SELECT ${idValue} FROM ${dialect.decodeRows(removeFields, 3)} CROSS JOIN ${base} WHERE ${wins(true)})`,
    removeFields,
    mark: mark(4, ` AND ${isNewer('sent$.at$')}`),
    seenMark: mark(
      4,
      ` AND ${isNewer('sent$.at$')} AND (found$.updated_at, found$.updated_by) = (sent$.seen_at$, sent$.seen_by$)`,
      seenFields,
    ),
    freeMark: mark(3, ''),
    patch: patch(4, isNewer),
    freePatch: patch(3, (stamp) => `${stamp} IS NOT NULL`),
    stamp: stamp('sent$.at$'),
    freeStamp: stamp(raised),
    results: `SELECT ${resultLine(dialect, table, { beyond: basePosition(scope, asked.n) }, 'all')} ${ofIds}`,
    absent: `SELECT ${isMade ? raise('driftline_unmade', `'${table.name}.' || won$.position`) : raise('driftline_absent', 'won$.position')} FROM (SELECT position, NOT deleted AND app$.key$ IS NULL AS absent$ ${ofIds}) AS won$
WHERE won$.position > ${basePosition(scope, asked.n)} AND won$.absent$`,
    ...spellLate(dialect, table, adopted, spelling, { scope, ids: asked.ids, raise }),
  }
}

const removeFields: readonly Field[] = [
  { name: 'id$', type: 'text' },
  { name: 'ordinal$', type: 'integer' },
]

/** Where others write while a push does. */
function spellLate(
  dialect: Dialect,
  { name }: Table,
  adopted: AppTable,
  { app, key }: AdoptedSpelling,
  { scope, ids, raise }: { readonly scope: string; readonly ids: string; readonly raise: Raise },
): Pick<AdoptedSql, 'late' | 'held' | 'hold'> {
  if (dialect.name === 'sqlite') {
    const late = `SELECT ${raise('driftline_late', 'line$.n')} FROM driftline_touched AS line$ WHERE line$.scope = ${scope} AND line$.table_name = '${name}'
AND line$.n <= (SELECT line FROM driftline_push WHERE scope = ${scope}) AND ${dialect.isAmong('line$.id', ids)}`
    return { late, held: undefined, hold: undefined }
  }
  const own = `app$.${quoted(adopted.key)}`
  const asked = `FROM ${app(adopted)} AS app$ WHERE ${own} IN (SELECT ${key(adopted, 'sent$.id$')} FROM (SELECT unnest($1::text[]) AS id$) AS sent$)`
  return {
    late: `SELECT ${raise('driftline_late', 'line$.n')} FROM driftline.driftline_touched AS line$ WHERE line$.scope = ${scope} AND line$.table_name = '${name}'
AND line$.xid <> pg_current_xact_id() AND (line$.marks IS NULL OR EXISTS (SELECT 1 FROM unnest(line$.marks) AS mark$ WHERE substr(mark$, 2) = ANY ((SELECT ${ids}::text[])::text[])))`,
    held: `WITH free$ AS MATERIALIZED (SELECT ${own} AS key$ ${asked} FOR NO KEY UPDATE OF app$ SKIP LOCKED)
SELECT app$.xmax::text ${asked} AND ${own} NOT IN (SELECT key$ FROM free$) ORDER BY ${own} LIMIT 1`,
    hold: `SELECT count(*) FROM (SELECT 1 ${asked} ORDER BY ${own} FOR NO KEY UPDATE OF app$) AS held$`,
  }
}
