import type { Schema } from '../../model/table.ts'
import { countReachSql, reachArms, reachSql } from '../reach-sql.ts'
import { parseHead, type ScopePage } from '../scope-page.ts'
import { type AskedPage, type FoundPage, type PagesBound, toPages } from '../scope-pages.ts'
import type { Cell, Cells, Field } from '../statement.ts'
import { headPlace, lookup, octets, pageCells, pageText, slotsOf } from './rows.ts'

/** A scope that is asked for. */
export const askedFields: readonly Field[] = [
  { name: 'scope$', type: 'text' },
  { name: 'place$', type: 'integer' },
  { name: 'incarnation$', type: 'text' },
  { name: 'position$', type: 'integer' },
  { name: 'start$', type: 'integer' },
  { name: 'n$', type: 'integer' },
]

/** The values of `askedFields`. */
export function askedRow({ scope, entry, n, place }: AskedPage): readonly unknown[] {
  return [scope, place, entry?.incarnation, entry?.position ?? 0, entry?.start, n]
}

/**
 * The scopes that are not where their cursor is, see `PagesSpelling`. They are looked up one by
 * one by their key, whatever the statistics say: OFFSET 0 keeps the planner from joining them in
 * another way.
 */
function headsSql(sent: string): string {
  const ahead = 'sent$.start$ > sent$.position$'
  const stands = `scope$.incarnation = sent$.incarnation$ AND scope$.position = sent$.position$ AND NOT ${ahead}`
  const fits = `(sent$.incarnation$ IS NULL OR sent$.incarnation$ = scope$.incarnation) AND (sent$.start$ IS NULL OR scope$.position >= sent$.start$ AND scope$.watermark <= CASE WHEN ${ahead} THEN sent$.start$ ELSE sent$.position$ END)`
  return `SELECT sent$.place$, sent$.scope$, sent$.position$, coalesce(sent$.start$, ${Number.MAX_SAFE_INTEGER}) AS start$, scope$.incarnation AS own$, scope$.position AS at$, scope$.watermark AS watermark$, scope$.row_bytes AS row_bytes$, scope$.position - sent$.n$ AS upper$, scope$.position - sent$.n$ > sent$.position$ AND ${fits} AS reads$
FROM ${sent} LEFT JOIN LATERAL (SELECT * FROM driftline_scopes WHERE scope = sent$.scope$ OFFSET 0) AS scope$ ON true
WHERE (${stands}) IS NOT TRUE AND (sent$.incarnation$ IS NOT NULL OR scope$.scope IS NOT NULL)`
}

export const countPagesSql = (schema: Schema, bound: Pick<PagesBound, 'bootstraps'>, sent: string): string =>
  countReachSql(schema, bound, { ...lookup, heads: headsSql(sent) })

/**
 * The rows of each scope come by an index of its positions, and the heads as rows of their own, in
 * the columns of a row.
 */
export function pagesSql(schema: Schema, bound: PagesBound, sent: string, limit: string): string {
  const slots = slotsOf(schema)
  const reach = reachSql(schema, bound, {
    ...{ ...lookup, octets, heads: headsSql(sent), limit: `CAST(${limit} AS bigint)` },
    ...{ array: 'json_build_array', boundsArms: true },
  })
  const cells = (table: Schema['tables'][number], _: unknown, place: number) => pageCells(slots, table, place)
  const arms = reachArms(schema, bound, lookup, cells).map((arm) => `(${arm} OFFSET 0)`)
  const top = [`${headPlace} AS place$`, 'own$ AS id$', 'watermark$ AS at$', 'cut$::text AS by$', 'NULL AS deleted$']
  const heads = `SELECT head$.place$ AS turn$, ${[...top, 'at$ AS position', ...slots.types.map(() => 'NULL')].join(', ')}
FROM (SELECT * FROM head$) AS head$ LEFT JOIN (SELECT place$ AS of$, cut$ FROM reach$) AS reach$ ON of$ = head$.place$`
  const rows = `SELECT reach$.place$ AS turn$, row$.* FROM reach$ CROSS JOIN LATERAL (${arms.join('\nUNION ALL\n')}) AS row$`
  return `${reach}
${[heads, ...(arms.length > 0 ? [rows] : [])].join('\nUNION ALL\n')} ORDER BY 1, ${1 + positionAt}`
}

/** The place of the scope, and then the cells of `pageCells`. */
const [turnAt, cellsAt, positionAt] = [0, 1, 6]

export function readPagesCells(
  schema: Schema,
  asked: readonly AskedPage[],
  results: readonly Cells[],
): readonly ScopePage[] {
  const slots = slotsOf(schema)
  const tops = new Map<number, Cells>()
  const rowsOf = new Map<number, Cells[]>()
  for (const row of results) {
    const turn = Number(row[turnAt])
    if (Number(row[cellsAt]) === headPlace) tops.set(turn, row)
    else if (rowsOf.get(turn)?.push(row) === undefined) rowsOf.set(turn, [row])
  }
  const found = new Map<number, FoundPage>()
  for (const [turn, [, , incarnation, watermark, cut, , position]] of tops) {
    const rows = rowsOf.get(turn) ?? []
    found.set(turn, {
      head: incarnation === null ? undefined : parseHead([[incarnation as Cell, position as Cell, watermark as Cell]]),
      cut: cut === null ? undefined : Number(cut),
      count: rows.length,
      last: Number(rows.at(-1)?.[positionAt] ?? 0),
      rows: pageText(schema, slots, asked[turn]?.scope ?? '', rows, cellsAt),
    })
  }
  return toPages(asked, found)
}
