import type { Cell, Cells } from '../stores/store.ts'
import { hexToBase64url } from '../sync/bytes.ts'
import type { ScopePage } from '../sync/page.ts'
import type { Schema, Table } from '../sync/table.ts'
import type { ColumnType } from '../sync/value.ts'
import { inOrder, pageCap, pageParams, pageRows, quoted } from './dialect.ts'

/** The columns of a row as text, the five of driftline that a change shows and then the user's. */
export function rowSql(table: Table): string[] {
  return [...systemSql, ...table.columns.map(({ name, type }) => columnSql(type, quoted(name)))]
}

/** NULL for a row that lives: the cheapest cell. */
const deadSql = "CASE WHEN deleted THEN 't' END"
const systemSql = ['id', 'updated_at', 'updated_by', deadSql, 'position']

/** Independent of the session: neither its time zone nor its formats show. */
function columnSql(type: ColumnType, column: string): string {
  switch (type) {
    case 'text':
      return column
    case 'timestamp':
      return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
    case 'bytes':
      return `encode(${column}, 'hex')`
    default:
      return `${column}::text`
  }
}

/** The cells of `rowSql`, from place `from` on, as the change that would write the row. */
export function rowJson(table: Table, scope: string, cells: Cells, from: number): string {
  return rowsJson(table, scope)(cells, from)
}

/** The same for many rows of one table and scope: what they share is made once. */
function rowsJson({ name: tableName, columns }: Table, scope: string): (cells: Cells, from: number) => string {
  const begin = `{"scope":${JSON.stringify(scope)},"table":"${tableName}","op":`
  const keys = columns.map(({ name }, place) => `${place === 0 ? ',"row":{' : ','}"${name}":`)
  return (cells, from) => {
    const alive = cells[from + 3] === null
    let text = `${begin}${alive ? '"put"' : '"delete"'},"id":${JSON.stringify(cells[from])},"at":${cells[from + 1]},"by":"${cells[from + 2]}","position":${cells[from + 4]}`
    if (!alive) return `${text}}`
    for (let place = 0; place < keys.length; place++) {
      text += keys[place] + cellJson(columns[place]?.type, cells[from + 5 + place] ?? null)
    }
    return `${text}}}`
  }
}

/** The text of a column as `JSON.stringify` writes the value. */
function cellJson(type: ColumnType | undefined, cell: Cell): string {
  if (cell === null) return 'null'
  switch (type) {
    case 'text':
      return JSON.stringify(cell)
    case 'real':
      // Without an exponent Postgres prints a double as JavaScript does: the same shortest digits.
      return typeof cell === 'string' && !cell.includes('e') ? cell : String(Number(cell))
    case 'timestamp':
    case 'uuid':
      return `"${cell}"`
    case 'bytes':
      return `"${hexToBase64url(String(cell))}"`
    default:
      return String(cell)
  }
}

/**
 * One statement, so one snapshot: the head and the rows belong together, and no row can lie between two tables' reads.
 * The head is a row of its own, the tables are padded to the widest, and one row more than the page says if there is more.
 */
export function pageRowsSql(schema: Schema, bytesMax: number): string {
  // Named once and kept: the planner would repeat them in every place, and plan longer than it reads.
  const params = pageParams({ param: (place) => `$${place}` }, '(SELECT upper FROM head)')
  const width = Math.max(...schema.tables.map(({ columns }) => columns.length))
  const names = [
    'place',
    'id',
    'at',
    'by',
    'dead',
    'position',
    ...Array.from({ length: width }, (_, place) => `v${place}`),
  ]
  const arms = schema.tables.map((table, place) => {
    const padding = Array.from({ length: width - table.columns.length }, () => 'NULL::text')
    const cells = [String(place), ...rowSql(table), ...padding].map((cell, at) => `${cell} AS ${names[at]}`)
    return pageRows(table, cells.join(', '), params.position, params)
  })
  // Bounded each by itself, so that every table is read by its index and no further than needed.
  const bounded = (arm: string) => (arms.length === 1 ? arm : `(${arm} ORDER BY position LIMIT ${params.limit} + 1)`)
  const size = (type: ColumnType, column: string) => `octet_length(${type === 'json' ? `${column}::text` : column})`
  return `WITH head AS MATERIALIZED (SELECT incarnation, position, watermark, position - $4 AS upper FROM driftline_scopes WHERE scope = ${params.scope}),
page AS MATERIALIZED (SELECT ${pageCap(schema, params, bytesMax, size)} AS cap)
SELECT ${headPlace} AS place, incarnation AS id, watermark AS at, (SELECT cap FROM page)::text AS by, NULL AS dead, position, ${Array.from({ length: width }, () => 'NULL').join(', ')} FROM head
UNION ALL (${inOrder(arms.map(bounded), '(SELECT cap + 1 FROM page)')})`
}

/** Stands where a row has the place of its table. */
const headPlace = -1

export function readPageRows(schema: Schema, scope: string, cells: readonly Cells[]): ScopePage {
  const top = cells.find(([place]) => Number(place) === headPlace)
  if (!top) return { head: undefined, count: 0, last: 0, rows: '', more: false }
  const [, incarnation, watermark, cap, , position] = top
  const head = { incarnation: String(incarnation), position: Number(position), watermark: Number(watermark) }
  const found = inPositionOrder(cells.filter((row) => row !== top))
  const kept = found.slice(0, Number(cap))
  const toJson = schema.tables.map((table) => rowsJson(table, scope))
  const rows = kept.map((row) => (toJson[Number(row[0])] as (cells: Cells, from: number) => string)(row, 1)).join(',')
  return {
    head,
    count: kept.length,
    last: Number(kept.at(-1)?.[positionPlace] ?? 0),
    rows,
    more: found.length > kept.length,
  }
}

const positionPlace = 5

/** A union gives them in order as it is run today; SQL does not promise it. */
function inPositionOrder(rows: readonly Cells[]): readonly Cells[] {
  const positions = rows.map((row) => Number(row[positionPlace]))
  if (positions.every((position, place) => place === 0 || position > (positions[place - 1] ?? 0))) return rows
  return rows.toSorted((a, b) => Number(a[positionPlace]) - Number(b[positionPlace]))
}
