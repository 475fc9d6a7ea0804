import { baseAt, baseBy, fillsTime, hasStamp, isCounter, isMerged, isPlain, stampColumn } from '../model/merge.ts'
import type { Table, TableColumn } from '../model/table.ts'
import { type Assigned, basePosition, type Dialect, type Meeting, quoted } from './dialect.ts'
import type { Field } from './statement.ts'

/**
 * The rules of MERGE 4 as SQL. Each column becomes a function of what is stored and what is sent,
 * of that column and of the stamps alone. `stored$` is the row, `excluded` the change.
 */

const sentStamp = '(excluded.updated_at, excluded.updated_by)'
const isLater = `(stored$.updated_at, stored$.updated_by) < ${sentStamp}`
const bothLive = 'NOT stored$.deleted AND NOT excluded.deleted'
const stored = (name: string) => `stored$.${quoted(name)}`
const sent = (name: string) => `excluded.${quoted(name)}`

type Spelled = Pick<Dialect, 'stampText'>

export function meeting(dialect: Spelled, table: Table): Meeting {
  const wins = winsOver(table)
  const text = dialect.stampText('excluded.updated_at', 'excluded.updated_by')
  const before = dialect.stampText('stored$.updated_at', 'stored$.updated_by')
  const base = dialect.stampText(...baseOf('stored$'))
  const applies = appliesTo(table, wins, text)
  const assigned = table.columns.flatMap((column): Assigned[] => {
    const [name, own, new_] = [quoted(column.name), stored(column.name), sent(column.name)]
    const stamp = stampColumn(column.name)
    if (column.filled === 'written') return [[name, `CASE WHEN ${applies} THEN ${new_} ELSE ${own} END`]]
    if (isPlain(column) && !column.kept) {
      if (!table.byColumn) return [[name, `CASE WHEN ${wins} THEN ${new_} ELSE ${own} END`]]
      const stays = `NOT (${wins}) OR (${stored(stamp)} IS NOT NULL AND ${stored(stamp)} >= ${text})`
      return [
        [name, `CASE WHEN ${stays} THEN ${own} ELSE ${new_} END`],
        [quoted(stamp), `CASE WHEN ${stays} THEN ${stored(stamp)} END`],
      ]
    }
    const lives = isMerged(column) && !column.kept ? merged(column, own, new_) : own
    const value: Assigned = [name, `CASE WHEN ${bothLive} THEN ${lives} WHEN ${wins} THEN ${new_} ELSE ${own} END`]
    if (!hasStamp(table, column)) return [value]
    // A revival counts as a set at the stamp of the tombstone. What a put leaves as it is keeps the
    // stamp that it had.
    const kept = isCounter(column)
      ? `CASE WHEN ${bothLive} OR NOT (${wins}) THEN ${stored(stamp)} WHEN stored$.deleted AND NOT excluded.deleted THEN ${before} END`
      : `CASE WHEN NOT (${wins}) THEN ${stored(stamp)} WHEN ${bothLive} THEN coalesce(${stored(stamp)}, ${base}) END`
    return [value, [quoted(stamp), kept]]
  })
  const isWhole = table.byColumn ? `${isLater} AND (${wins})` : isLater
  const whole = (name: string) => `CASE WHEN ${isWhole} THEN ${sent(name)} ELSE ${stored(name)} END`
  return {
    applies,
    assigned: [
      ...['updated_at', 'updated_by', 'deleted'].map((name): Assigned => [name, whole(name)]),
      ...assigned,
      ...(table.byColumn ? baseAssigned(wins) : []),
    ],
  }
}

const baseAssigned = (wins: string): Assigned[] =>
  (
    [
      [baseAt, 'updated_at'],
      [baseBy, 'updated_by'],
    ] as const
  ).map(([base, from]) => [
    quoted(base),
    `CASE WHEN ${isLater} AND (${wins}) THEN NULL WHEN ${wins} THEN ${sent(from)} ELSE ${stored(base)} END`,
  ])

/** The two halves of the stamp of the last put. */
function baseOf(row: string): [at: string, by: string] {
  return [
    `coalesce(${row}.${quoted(baseAt)}, ${row}.updated_at)`,
    `coalesce(${row}.${quoted(baseBy)}, ${row}.updated_by)`,
  ]
}

/** Whether a put is later than the last one, and a delete later than all of the row. */
function winsOver({ byColumn }: Table): string {
  if (!byColumn) return isLater
  return `(${baseOf('stored$').join(', ')}) < ${sentStamp} AND (NOT excluded.deleted OR ${isLater})`
}

function appliesTo(table: Table, wins: string, text: string): string {
  const merges = table.columns.filter((column) => isMerged(column) && !column.kept).map(changes)
  const some = merges.length > 0 ? ` OR (${bothLive} AND (${merges.join(' OR ')}))` : ''
  if (!table.byColumn) return `(${isLater}${some})`
  // Where it is later than all of the row, all of it is taken.
  const stamps = table.columns.filter((column) => isPlain(column) && !column.kept).map(({ name }) => stampColumn(name))
  const taken = stamps.map((name) => `${stored(name)} IS NULL OR ${stored(name)} < ${text}`).join(' OR ')
  return `(${isLater} OR (${wins}${taken && ` AND (${taken})`})${some})`
}

/** The value of a column of which the greatest, the least or the first stays. */
function merged(column: TableColumn, own: string, other: string): string {
  if (column.merge === 'once') return `coalesce(${own}, ${other})`
  return `CASE WHEN ${isMore(column, own, other)} THEN ${other} ELSE ${own} END`
}

const changes = (column: TableColumn) => takes(column, stored(column.name), sent(column.name))

/** Whether another value changes the column. */
function takes(column: TableColumn, own: string, other: string): string {
  if (column.merge === 'once') return `(${own} IS NULL AND ${other} IS NOT NULL)`
  return `(${isMore(column, own, other)})`
}

/** NULL gives way. */
const isMore = ({ merge }: TableColumn, own: string, other: string) =>
  `${other} IS NOT NULL AND (${own} IS NULL OR ${other} ${merge === 'max' ? '>' : '<'} ${own})`

/** What the new row of a put holds in a column that the server fills, or `value`. */
export function filledValue(column: TableColumn, value: string, position: string, now: Now, lives: string): string {
  if (!column.filled) return value
  const fill = column.type === 'timestamp' ? now(column) : position
  return `CASE WHEN ${lives} THEN ${fill} END`
}

/** The server's time, as a column holds it. */
export type Now = (column: TableColumn) => string

/** The patches of a row as one, over what is stored as `found$`. */
export interface Patching {
  /** The columns of the target that it sets, and to what. */
  readonly selected: readonly Assigned[]
  readonly applies: string
  readonly value: (column: TableColumn) => string
}

export interface PatchParams {
  readonly scope: string
  readonly client: string
  readonly now: Now
  readonly stampKey: (key: string) => string
  /** The patch wins over whatever is stored. */
  readonly stampless?: boolean
}

export function patching(dialect: Dialect, table: Table, params: PatchParams): Patching {
  const { client, stampKey, stampless = false } = params
  const own = (name: string) => `found$.${quoted(name)}`
  const at = stampless ? raisedAt : 'sent$.at$'
  const stampOf = (column: TableColumn) => `sent$.${stampKey(column.key)}`
  const isSaid = (column: TableColumn) => `${stampOf(column)} IS NOT NULL`
  const rowIsLower = (stamp: string) => `(found$.updated_at, found$.updated_by) < (${stamp}, ${client})`
  const isTaken = (column: TableColumn): string => {
    if (stampless && isPlain(column)) return isSaid(column)
    const stamp = stampOf(column)
    const of = own(stampColumn(column.name))
    if (isCounter(column)) {
      const set = stampless ? isSaid(column) : `(${of} IS NULL OR ${of} < ${dialect.stampText(stamp, client)})`
      return `(${isSaid(column)} AND ${set})`
    }
    if (!table.byColumn) return rowIsLower(stamp)
    const base = `(${baseOf('found$').join(', ')}) < (${stamp}, ${client})`
    return `CASE WHEN ${of} IS NULL THEN ${base} ELSE ${of} < ${dialect.stampText(stamp, client)} END`
  }
  // A set without a stamp is later than the last one, and than what its client has added.
  const setStamp = (column: TableColumn): string => {
    const edit = { scope: params.scope, by: client, at: stampOf(column), column: `'${column.name}'` }
    const setAt = own(stampColumn(column.name))
    return stampless ? dialect.raisedAdd(table.name, { ...edit, setAt }) : stampOf(column)
  }
  const isSet = (column: TableColumn) =>
    isMerged(column)
      ? `(${isSaid(column)} AND ${takes(column, own(column.name), `sent$.${column.key}`)})`
      : isTaken(column)
  const value = (column: TableColumn): string => {
    const { name, key, filled } = column
    if (filled) return filled === 'written' ? params.now(column) : own(name)
    const since = { scope: params.scope, at: setStamp(column), by: client }
    const sum = isCounter(column) ? dialect.addedSince(table.name, name, since) : ''
    return `CASE WHEN ${isSet(column)} THEN sent$.${key}${sum} ELSE ${own(name)} END`
  }
  const plain = table.columns.filter(isPlain)
  const rest = table.columns.filter((column) => !isPlain(column) && !column.filled)
  // What is later than the row is later than all of its columns.
  const newer = plain.length > 0 ? [stampless ? 'sent$.at$ IS NOT NULL' : rowIsLower(at)] : []
  const isNewer = newer[0] ?? '1 = 0'
  const single = table.byColumn ? [...newer, ...plain.map(isTaken)] : newer
  const moved = (column: string, to: string): string => `CASE WHEN ${isNewer} THEN ${to} ELSE found$.${column} END`
  const stamped = table.columns
    .filter((column) => hasStamp(table, column))
    .map((column): Assigned => {
      const stamp = stampColumn(column.name)
      const at$ = isCounter(column) ? setStamp(column) : stampless ? raisedAt : stampOf(column)
      const text = dialect.stampText(at$, client)
      return [quoted(stamp), `CASE WHEN ${isTaken(column)} THEN ${text} ELSE ${own(stamp)} END`]
    })
  const base = (['updated_at', 'updated_by'] as const).map((name, place): Assigned => {
    const column = place === 0 ? baseAt : baseBy
    return [quoted(column), moved(quoted(column), `coalesce(${own(column)}, found$.${name})`)]
  })
  return {
    selected: [
      ['updated_at', moved('updated_at', at)],
      ['updated_by', moved('updated_by', client)],
      ...table.columns.map((column): Assigned => [quoted(column.name), value(column)]),
      ...stamped,
      ...(table.byColumn ? base : []),
    ],
    applies: `(${[...single, ...rest.map(isSet)].join(' OR ') || '1 = 0'})`,
    value,
  }
}

/** A stamp that is later than what is stored, and the server's clock where that is later still. */
const raisedAt = 'CASE WHEN found$.updated_at >= sent$.at$ THEN found$.updated_at + 1 ELSE sent$.at$ END'

/** What a state of a row tells besides: its stamps, in one text. */
export function stampsCell(table: Table): string {
  const own = table.columns.filter((column) => hasStamp(table, column)).map(({ name }) => quoted(stampColumn(name)))
  const base = table.byColumn ? [quoted(baseAt), quoted(baseBy)] : []
  const names = [...base, ...own]
  return names.length === 0 ? "''" : names.map((name) => `coalesce(CAST(${name} AS text), '')`).join(` || ',' || `)
}

/**
 * The stamp that a row had when its writer saw it, and that of the change, which is alone in its
 * pass.
 */
export const seenFields: readonly Field[] = [
  { name: 'seen_at$', type: 'integer' },
  { name: 'seen_by$', type: 'text' },
  { name: 'own_at$', type: 'integer' },
]

/**
 * Whether the row is as it was seen, or as the change itself has left it: it may take several
 * statements.
 */
export const isStillSeen = (client: string): string =>
  `((found$.updated_at, found$.updated_by) = (sent$.seen_at$, sent$.seen_by$) OR (found$.updated_at, found$.updated_by) = (sent$.own_at$, ${client}))`

/** Fields of what is added: an id, the column, and how much. */
export const addFields: readonly Field[] = [
  { name: 'id$', type: 'text' },
  { name: 'ordinal$', type: 'integer' },
  { name: 'at$', type: 'integer' },
  { name: 'col$', type: 'text' },
  { name: 'n$', type: 'integer' },
]

/** The statements of a table's counters. */
export interface AddSql {
  /** [scope, client, n, …now, …adds] → result lines of the rows that changed: adds what is new. */
  readonly add: string
  readonly addSilent: string
  /** [scope, client, n, …adds] → nothing: remembers what was added. Goes right behind `add`. */
  readonly remember: string
  /** The same of rows that must be as they were seen. */
  readonly addSeen: string
  readonly addSeenSilent: string
  readonly rememberSeen: string
  /**
   * The same of adds without a stamp, at most one for each counter of a row: each gets one later
   * than the last set, and than what the client has added before.
   */
  readonly addStampless: string
  readonly rememberStampless: string
  /**
   * [scope, client, n, …adds] → id, stamp and column of those that were counted before this push.
   */
  readonly known: string
  /** [scope, n] → nothing: what was added to the rows that this push deleted is nought. */
  readonly forget: string
}

interface AddParts {
  /** The scope's position before this push, as an item of FROM. */
  readonly base: string
  readonly now: Now
  readonly line: string
}

export function addSql(dialect: Dialect, table: Table, parts: AddParts): AddSql | undefined {
  const counters = table.columns.filter(isCounter)
  if (counters.length === 0) return undefined
  const [scope, client] = [dialect.param(1), dialect.param(2)] as const
  const rows = dialect.decodeRows(addFields, 4)
  const seenRows = [...addFields, ...seenFields]
  const found = dialect.found(table, scope, 'sent$.id$', 'CROSS JOIN')
  const known = (join: 'LEFT JOIN' | 'CROSS JOIN') => dialect.foundAdd(table.name, scope, client, join)
  const setAt = `CASE sent$.col$ ${counters.map(({ name }) => `WHEN '${name}' THEN found$.${quoted(stampColumn(name))}`).join(' ')} END`
  // An add does not ask for the row's stamp: only a set is above it, or a life before.
  const counts = `NOT found$.deleted AND (${setAt} IS NULL OR ${setAt} < ${dialect.stampText('sent$.at$', client)})`
  const raised = dialect.raisedAdd(table.name, { scope, by: client, at: 'sent$.at$', column: 'sent$.col$', setAt })
  const remember = (
    at: string,
    condition: string,
    of = rows,
  ) => `INSERT INTO driftline_adds (scope, at, by, tbl, id, col, n, position)
SELECT ${scope}, ${at}, ${client}, '${table.name}', sent$.id$, sent$.col$, sent$.n$, found$.position
FROM ${of} CROSS JOIN ${parts.base} ${found} WHERE ${condition} AND found$.position = scope$.base$ + sent$.ordinal$
ON CONFLICT (scope, at, by, tbl, id, col) DO NOTHING`
  const first = fillsTime(table) ? 5 : 4
  const news = (
    fields: readonly Field[],
    condition = '',
  ) => `${dialect.decodeRows(fields, first)} ${found} ${known('LEFT JOIN')}
WHERE ${counts} AND known$.position IS NULL${condition}`
  const isSeen = ` AND ${isStillSeen(client)}`
  const add = addRows(dialect, table, parts, news(addFields))
  const addSeen = addRows(dialect, table, parts, news(seenRows, isSeen))
  return {
    add: `${add}\nRETURNING ${parts.line}`,
    addSilent: add,
    remember: remember('sent$.at$', counts),
    addSeen: `${addSeen}\nRETURNING ${parts.line}`,
    addSeenSilent: addSeen,
    rememberSeen: remember('sent$.at$', counts + isSeen, dialect.decodeRows(seenRows, 4)),
    addStampless: `${addRows(dialect, table, parts, `${dialect.decodeRows(addFields, first)} ${found} WHERE NOT found$.deleted AND CAST(${client} AS text) IS NOT NULL`)}\nRETURNING ${parts.line}`,
    rememberStampless: remember(raised, 'NOT found$.deleted'),
    known: `SELECT sent$.id$, sent$.at$, sent$.col$ FROM ${rows} CROSS JOIN ${parts.base} ${known('CROSS JOIN')} WHERE known$.position <= scope$.base$`,
    forget: `UPDATE driftline_adds SET n = 0 WHERE scope = ${scope} AND tbl = '${table.name}' AND n <> 0
AND id IN (SELECT id FROM ${quoted(table.name)} WHERE ${dialect.above(scope, basePosition(scope, dialect.param(2)))} AND deleted)`,
  }
}

/** Adds to the counters of rows, each row once. The row is written whole, as a patch writes it. */
function addRows(dialect: Dialect, table: Table, { base, now }: AddParts, adds: string): string {
  const scope = dialect.param(1)
  const locked = dialect.found(table, scope, 'sent$.id$', 'CROSS JOIN', 'locked')
  const sums = table.columns
    .filter(isCounter)
    .map(
      ({ name, key }) =>
        `CAST(coalesce(sum(CASE WHEN sent$.col$ = '${name}' THEN sent$.n$ END), 0) AS bigint) AS ${key}`,
    )
  const values = table.columns.map((column) => {
    const own = `found$.${quoted(column.name)}`
    if (isCounter(column)) return `${own} + sent$.${column.key}`
    return column.filled === 'written' ? now(column) : own
  })
  const set = table.columns
    .filter((column) => isCounter(column) || column.filled === 'written')
    .map(({ name }) => `${quoted(name)} = excluded.${quoted(name)}`)
  return `INSERT INTO ${quoted(table.name)} AS stored$ (scope, id, updated_at, updated_by, deleted, position, created_position, ${table.columns.map(({ name }) => quoted(name)).join(', ')})
SELECT ${scope}, found$.id, found$.updated_at, found$.updated_by, found$.deleted, scope$.base$ + sent$.ordinal$, found$.created_position, ${values.join(', ')}
FROM (SELECT sent$.id$, min(sent$.ordinal$) AS ordinal$, ${sums.join(', ')}
FROM ${adds} GROUP BY sent$.id$) AS sent$ CROSS JOIN ${base} ${locked} WHERE 1 = 1
ON CONFLICT (scope, id) DO UPDATE SET position = excluded.position, ${set.join(', ')}`
}
