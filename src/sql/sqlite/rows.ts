import { hexToBase64url } from '../../model/base64url.ts'
import type { Schema, Table } from '../../model/table.ts'
import type { ColumnType, ValueRules } from '../../model/value.ts'
import { shown } from '../../model/view.ts'
import {
  inOrder,
  isDead,
  isLarge,
  type PageBound,
  type PagePart,
  pageArms,
  pageCap,
  pageParams,
  pageRows,
} from '../dialect.ts'
import { quoted } from '../quoted.ts'
import { emptyPage, parseHead, type ScopePage } from '../scope-page.ts'
import type { Cells } from '../statement.ts'
import { above, aliveAbove, joinApp, target } from './keys.ts'

/** How the rows of a page are found. */
export const lookup = { above, aliveAbove, target, joinApp }

/**
 * A row as JSON text, made by the engine: handing columns to JavaScript one by one costs several
 * times as much. What is the same for every row is made once, in a subquery, of parameter 1, which
 * is the scope; or `scope` is how each text begins.
 */
export function changeText(table: Table, part: PagePart = 'all', scope?: string): string {
  const begin = (op: string) => {
    const rest = `',"table":"${table.wire}","op":"${op}","id":'`
    return scope ? `${scope}, ${rest}` : `(SELECT concat('{"scope":', json_quote(?1), ${rest}))`
  }
  const stamp = ['json_quote(id)', `',"at":'`, 'updated_at', `',"by":"'`, 'updated_by', `'","position":'`, 'position']
  const row = shown(table).flatMap(({ name, wire, type, rules }, place) => [
    `'${place === 0 ? ',"row":{' : ','}"${wire}":'`,
    columnText(type, quoted(name), rules),
  ])
  // A text may have so many bytes: what a part of a page never is, it does not spell.
  const dead = concat([begin('delete'), ...stamp, "'}'"])
  if (part === 'died') return dead
  const alive = concat([begin('put'), ...stamp, ...row, "'}}'"])
  const isKnownAlive = !table.adopted && (part === 'alive' || part === 'again')
  return isKnownAlive ? alive : `CASE WHEN ${isDead(table)} THEN ${dead} ELSE ${alive} END`
}

export const octets = (_type: ColumnType, column: string) => `octet_length(${column})`

/**
 * A column as JSON text, byte for byte as `JSON.stringify` writes it once `resolveMarks` has run.
 * Never NULL.
 */
function columnText(type: ColumnType, column: string, { digits = 3 }: ValueRules): string {
  switch (type) {
    case 'text':
      return `json_quote(${column})`
    case 'uuid':
    case 'decimal':
      return `coalesce('"' || ${column} || '"', 'null')`
    // In so many digits as the column has now, whatever it had when the row was written: as
    // Postgres prints it.
    case 'timestamp':
      return digits === 3
        ? `coalesce('"' || substr(${column}, 1, 23) || 'Z"', 'null')`
        : `coalesce('"' || substr(rtrim(${column}, 'Z') || '000', 1, 26) || 'Z"', 'null')`
    case 'integer':
      return `coalesce(${column}, 'null')`
    case 'json':
      return `coalesce(${withoutBreaksSql(column)}, 'null')`
    case 'boolean':
      return `CASE ${column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END`
    case 'real':
      return realText(column)
    case 'bytes':
      return `CASE WHEN ${column} IS NULL THEN 'null' ELSE '\tb' || lower(hex(${column})) || '\t' END`
  }
}

/**
 * A line break and a tab mean something where rows are read; whoever writes JSON by hand may have
 * them between its values.
 */
const withoutBreaksSql = (column: string) =>
  ['\t', '\n', '\r'].reduce((text, control) => `replace(${text}, '${control}', ' ')`, column)

/**
 * SQLite has no shortest form. Of a number with up to six decimals, which dividing its millionths
 * gives again exactly, its fifteen digits are what JavaScript prints. Seventeen digits are exact
 * for any other once JavaScript has read them: they miss the double by less than a tenth of what
 * would make it another, the engine's own rounding included.
 */
function realText(column: string): string {
  const isShort = (least: string, most: string, half: string) =>
    `${column} BETWEEN ${least} AND ${most} AND CAST(${column} * 1e6 ${half} AS INTEGER) / 1e6 = ${column}`
  return `CASE WHEN ${column} IS NULL THEN 'null'
WHEN ${column} = CAST(${column} AS INTEGER) AND abs(${column}) < 1e15 THEN CAST(${column} AS INTEGER)
WHEN ${isShort('0.001', '1e8', '+ 0.5')} OR ${isShort('-1e8', '-0.001', '- 0.5')} THEN format('%!.15g', ${column})
ELSE '\tr' || format('%!.17g', ${column}) || '\t' END`
}

/**
 * A value that SQLite cannot spell as JavaScript does travels between two tabs, behind `r` for a
 * real in decimal and `b` for bytes in hex, and gets its form here. A raw tab cannot stand in JSON
 * text otherwise.
 */
export function resolveMarks(text: string): string {
  if (!text.includes('\t')) return text
  const parts = text.split('\t')
  for (let place = 1; place < parts.length; place += 2) {
    const mark = parts[place] ?? ''
    parts[place] = mark[0] === 'r' ? String(Number(mark.slice(1))) : `"${hexToBase64url(mark.slice(1))}"`
  }
  return parts.join('')
}

/**
 * Calls are nested: the engine takes about 100 arguments. `concat` makes its text in one go, a
 * chain of || at each step.
 */
function concat(parts: readonly string[]): string {
  if (parts.length <= 50) return `concat(${parts.join(', ')})`
  const groups: string[] = []
  for (let from = 0; from < parts.length; from += 50) groups.push(`concat(${parts.slice(from, from + 50).join(', ')})`)
  return concat(groups)
}

/**
 * One statement, so one snapshot: the head and the rows belong together, and no row can lie between
 * two tables' reads. One text for the whole page; its order is that of the sorted subquery, and the
 * suite of the stores holds SQLite to it.
 */
export function pageText(schema: Schema, bound: PageBound): string {
  const params = pageParams({ param: (place) => `?${place}` }, bound.again)
  const rows = pageArms(schema, bound, (table, part) =>
    pageRows(lookup, table, part, `position, ${changeText(table, part)} AS text$`, params.position, params),
  )
  // Of no row, where the answer is full, what follows is what was asked for.
  const last = `coalesce(page$.last$, ${params.position})`
  const more = pageArms(schema, bound, (table, part) => `EXISTS (${pageRows(lookup, table, part, '1', last, params)})`)
  const cap = pageCap({ ...lookup, octets }, schema, params, bound)
  const limit = `coalesce((SELECT ${cap} FROM driftline_scopes WHERE scope = ${params.scope}), ${params.limit})`
  return `SELECT scope$.incarnation, scope$.position, scope$.watermark, ${isLarge(params, bound)}, page$.count$, page$.last$, page$.rows$, CASE WHEN ${more.join('\nOR ') || '1 = 0'} THEN 1 ELSE 0 END
FROM driftline_scopes AS scope$ CROSS JOIN (SELECT count(*) AS count$, max(position) AS last$, group_concat(text$, '\n') AS rows$
FROM (${rows.length > 0 ? inOrder(rows, limit) : "SELECT 0 AS position, '' AS text$ WHERE 1 = 0"})) AS page$
WHERE scope$.scope = ${params.scope}`
}

export function readPageText(_schema: Schema, _scope: string, [row]: readonly Cells[]): ScopePage {
  if (!row) return emptyPage
  const [, , , large, count, last, rows, more] = row
  return {
    head: parseHead([row]),
    count: Number(count),
    last: Number(last ?? 0),
    rows: resolveMarks(String(rows ?? '')),
    more: Number(more) === 1,
    large: Number(large) === 1,
  }
}
