import { rowBreak } from '../../model/row-text.ts'
import type { Schema } from '../../model/table.ts'
import { type Dialect, inOrder, isLarge, type PageBound, pageArms, pageCap, pageParams, pageRows } from '../dialect.ts'
import { emptyPage, type ScopePage } from '../scope-page.ts'
import type { Cells } from '../statement.ts'
import { sqliteWith } from './dialect.ts'
import { countPagesText, encodeAsked, pagesLines, readPagesLines } from './pages.ts'
import { changeText, resolveMarks } from './rows.ts'

/** SELECTs that one UNION ALL may join in a Durable Object. */
const unionTermsMax = 5

/**
 * SQLite as a Durable Object has it: no value above 2 MB, and no more than five SELECTs in a union.
 * So a page comes as a row for each change rather than as one text. The object runs in the same
 * process, where a row costs little. It holds one scope, so nothing reads several by a statement.
 */
export const sqliteScope: Dialect = /* @__PURE__ */ sqliteWith({ page: pageLines, readPage: readPageLines })

/** The same of a database with many scopes. */
export const sqliteObject: Dialect = /* @__PURE__ */ sqliteWith({
  page: pageLines,
  readPage: readPageLines,
  together: { encodeAsked, pages: pagesLines, readPages: readPagesLines, countPages: countPagesText },
})

/**
 * The head is at position 0, before every row; one row more than the page says if there is more.
 */
function pageLines(schema: Schema, bound: PageBound): string {
  const params = pageParams(sqliteScope, bound.again)
  const cap = pageCap(sqliteScope, schema, params, bound, unionTermsMax)
  const head = `SELECT 0 AS position, concat(incarnation, '\n', position, '\n', watermark, '\n', cap$, '\n', large$) AS text$ FROM page$`
  const arms = pageArms(schema, bound, (table, part) =>
    pageRows(sqliteScope, table, part, `position, ${changeText(table, part)} AS text$`, params.position, params),
  )
  return `WITH page$ AS MATERIALIZED (SELECT incarnation, position, watermark, ${cap} AS cap$, ${isLarge(params, bound)} AS large$ FROM driftline_scopes WHERE scope = ${params.scope})
${inOrder([head, ...arms], 'coalesce((SELECT cap$ + 2 FROM page$), 1)', unionTermsMax)}`
}

function readPageLines(_schema: Schema, _scope: string, [top, ...found]: readonly Cells[]): ScopePage {
  if (!top) return emptyPage
  const [incarnation = '', position, watermark, cap, large] = String(top[1]).split('\n')
  const kept = found.slice(0, Number(cap))
  return {
    head: { incarnation, position: Number(position), watermark: Number(watermark) },
    count: kept.length,
    last: Number(kept.at(-1)?.[0] ?? 0),
    rows: resolveMarks(kept.map(([, text]) => text).join(rowBreak)),
    more: found.length > kept.length,
    large: large === '1',
  }
}
