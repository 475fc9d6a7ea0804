import { hexToBase64url } from '../../model/base64url.ts'
import { rowBreak, withoutBreaks } from '../../model/row-text.ts'
import type { Schema, Table, TableColumn } from '../../model/table.ts'
import { textToJson } from '../../model/text.ts'
import type { ColumnType } from '../../model/value.ts'
import { shown } from '../../model/view.ts'
import { inOrder, isDead, isLarge, type PageBound, pageArms, pageCap, pageParams, pageRows } from '../dialect.ts'
import { quoted } from '../quoted.ts'
import { emptyPage, type ScopePage } from '../scope-page.ts'
import type { Cell, Cells } from '../statement.ts'
import { above, aliveAbove, joinApp, target } from './keys.ts'

/** How the rows of a page are found. */
export const lookup = { above, aliveAbove, target, joinApp }

/** The columns of a row, the five of driftline that a change shows and then the user's. */
export function rowSql(table: Table): string[] {
  return [...systemSql(table), ...shown(table).map(columnSql)]
}

/** NULL for a row that lives: the cheapest cell. */
const deadSql = (table: Table) => `CASE WHEN ${isDead(table)} THEN 't' END`
const systemSql = (table: Table) => ['id', 'updated_at', 'updated_by', deadSql(table), 'position']
const systemCells = 5

/**
 * As Postgres prints the type, which costs least, and independent of the session: neither its time
 * zone nor its formats show.
 */
function columnSql({ name, type, rules }: TableColumn): string {
  const column = quoted(name)
  const digits = rules.digits === 6 ? 'US' : 'MS'
  if (type === 'timestamp') return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.${digits}"Z"')`
  return type === 'bytes' ? `encode(${column}, 'hex')` : column
}

export const octets = (type: ColumnType, column: string) =>
  `octet_length(${type === 'json' || type === 'decimal' ? `${column}::text` : column})`

/** The cells of `rowSql`, from place `from` on, as the change that would write the row. */
export function rowJson(table: Table, scope: string, cells: Cells, from: number): string {
  return rowsJson(
    table,
    scope,
    from,
    shown(table).map((_, place) => from + systemCells + place),
  )('', cells)
}

/**
 * The same for many rows of one table and scope: what they share is made once, and each row is
 * added to the text of those before it. One text that grows costs half of what many take that are
 * joined in the end.
 */
function rowsJson(table: Table, scope: string, from: number, places: readonly number[]): AddRow {
  const columns = shown(table)
  const begin = `{"scope":${JSON.stringify(scope)},"table":"${table.wire}","op":`
  const keys = columns.map(({ wire }, place) => `${place === 0 ? ',"row":{' : ','}"${wire}":`)
  return (before, cells) => {
    const alive = cells[from + 3] === null
    let text = before + begin
    text += `${alive ? '"put"' : '"delete"'},"id":${textToJson(String(cells[from]))},"at":${cells[from + 1]},"by":"${cells[from + 2]}","position":${cells[from + 4]}`
    if (!alive) return `${text}}`
    for (let place = 0; place < keys.length; place++) {
      text += keys[place]
      text += cellJson(columns[place]?.type, cells[places[place] as number] ?? null)
    }
    return `${text}}}`
  }
}

type AddRow = (before: string, cells: Cells) => string

/** The text of a column as `JSON.stringify` writes the value. */
function cellJson(type: ColumnType | undefined, cell: Cell): string {
  if (cell === null) return 'null'
  switch (type) {
    case 'text':
      return textToJson(String(cell))
    case 'real':
      // Without an exponent Postgres prints a double as JavaScript does: the same shortest digits.
      return typeof cell === 'string' && !cell.includes('e') ? cell : String(Number(cell))
    case 'boolean':
      return cell === 't' ? 'true' : 'false'
    case 'decimal':
    case 'timestamp':
    case 'uuid':
      return `"${cell}"`
    case 'bytes':
      return `"${hexToBase64url(String(cell))}"`
    case 'json':
      return withoutBreaks(String(cell))
    default:
      return String(cell)
  }
}

export interface Slots {
  readonly types: readonly string[]
  /** Of each table, which slot each of its columns has. */
  readonly places: readonly (readonly number[])[]
}

/**
 * What a page's cells beyond the first six hold: columns of the tables, which share those of one
 * type.
 */
export function slotsOf(schema: Schema): Slots {
  const types: string[] = []
  const places = schema.tables.map((table) => {
    const taken = new Set<number>()
    return shown(table).map(({ type }) => {
      const free = types.findIndex((one, slot) => one === printedAs[type] && !taken.has(slot))
      const slot = free === -1 ? types.push(printedAs[type]) - 1 : free
      taken.add(slot)
      return slot
    })
  })
  return { types, places }
}

const printedAs = {
  text: 'text',
  integer: 'bigint',
  real: 'double precision',
  decimal: 'numeric',
  boolean: 'boolean',
  json: 'json',
  timestamp: 'text',
  uuid: 'uuid',
  bytes: 'text',
} as const

/** The columns of a row of a page, by their names. */
export function pageCells(slots: Slots, table: Table, place: number): string {
  const values = slots.types.map((type, slot) => {
    const column = shown(table)[slots.places[place]?.indexOf(slot) ?? -1]
    return column ? columnSql(column) : `NULL::${type}`
  })
  const names = ['place$', 'id$', 'at$', 'by$', 'deleted$', 'position', ...values.map((_, slot) => `value${slot}$`)]
  return [String(place), ...systemSql(table), ...values].map((cell, at) => `${cell} AS ${names[at]}`).join(', ')
}

/**
 * One statement, so one snapshot: the head and the rows belong together, and no row can lie between
 * two tables' reads. The head is a row of its own, and one row more than the page says if there is
 * more.
 */
export function pageRowsSql(schema: Schema, bound: PageBound): string {
  // Named once and kept: the planner would repeat them in every place, and plan longer than it
  // reads.
  const places = { param: (place: number) => `$${place}` }
  const params = pageParams(places, bound.again, '(SELECT upper$ FROM head$)')
  const slots = slotsOf(schema)
  const arms = pageArms(schema, bound, (table, part, place) =>
    pageRows(lookup, table, part, pageCells(slots, table, place), params.position, params),
  )
  // Bounded each by itself, so that every table is read by its index and no further than needed.
  const bounded = (arm: string) => (arms.length === 1 ? arm : `(${arm} ORDER BY position LIMIT ${params.limit} + 1)`)
  const cap = pageCap({ ...lookup, octets }, schema, pageParams(places, bound.again), bound)
  // Without tables the types of $2 and $3 must be told.
  const rows =
    arms.length === 0
      ? '\nWHERE CAST($2 AS bigint) <= $2 AND CAST($3 AS bigint) <= $3'
      : `\nUNION ALL (${inOrder(arms.map(bounded), '(SELECT cap$ + 1 FROM head$)')})`
  return `WITH head$ AS MATERIALIZED (SELECT incarnation, position, watermark, position - $4 AS upper$, ${isLarge(params, bound)} AS large$,
${cap} AS cap$ FROM driftline_scopes WHERE scope = ${params.scope})
SELECT ${headPlace} AS place$, incarnation AS id$, watermark AS at$, cap$::text AS by$, CASE WHEN large$ THEN 't' END AS deleted$, ${['position', ...slots.types.map(() => 'NULL')].join(', ')} FROM head$${rows}`
}

/** Stands where a row has the place of its table. */
export const headPlace = -1

export function readPageRows(schema: Schema, scope: string, cells: readonly Cells[]): ScopePage {
  const top = cells.find(([place]) => Number(place) === headPlace)
  if (!top) return emptyPage
  const [, incarnation, watermark, cap, large, position] = top
  const head = { incarnation: String(incarnation), position: Number(position), watermark: Number(watermark) }
  const found = inPositionOrder(cells.filter((row) => row !== top))
  const kept = found.slice(0, Number(cap))
  const rows = pageText(schema, slotsOf(schema), scope, kept, 0)
  return {
    head,
    count: kept.length,
    last: Number(kept.at(-1)?.[positionPlace] ?? 0),
    rows,
    more: found.length > kept.length,
    large: large !== null,
  }
}

/** The rows of a page as changes, a line each. The cells of `pageCells` begin at place `from`. */
export function pageText(
  schema: Schema,
  { places }: Slots,
  scope: string,
  rows: readonly Cells[],
  from: number,
): string {
  const addRow = schema.tables.map((table, place) =>
    rowsJson(
      table,
      scope,
      from + 1,
      (places[place] ?? []).map((slot) => from + 1 + systemCells + slot),
    ),
  )
  let text = ''
  for (const row of rows) text = (addRow[Number(row[from])] as AddRow)(text === '' ? '' : text + rowBreak, row)
  return text
}

const positionPlace = 5

/** A union gives them in order as it is run today; SQL does not promise it. */
function inPositionOrder(rows: readonly Cells[]): readonly Cells[] {
  let before = 0
  for (const row of rows) {
    const position = Number(row[positionPlace])
    if (position <= before) return rows.toSorted((a, b) => Number(a[positionPlace]) - Number(b[positionPlace]))
    before = position
  }
  return rows
}
