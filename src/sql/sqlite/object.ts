import { rowBreak } from '../../model/row-text.ts'
import type { Schema } from '../../model/table.ts'
import { type Dialect, inOrder, isLarge, type PageBound, pageArms, pageCap, pageParams, pageRows } from '../dialect.ts'
import { emptyPage, type ScopePage } from '../scope-page.ts'
import type { Cells } from '../statement.ts'
import { sqlite } from './dialect.ts'
import { pagesLines, readPagesLines } from './pages.ts'
import { changeText, resolveMarks } from './rows.ts'

/** SELECTs that one UNION ALL may join in a Durable Object. */
const unionTermsMax = 5

/**
 * SQLite as a Durable Object has it: no value above 2 MB, and no more than five SELECTs in a union.
 * So a page comes as a row for each change rather than as one text. The object runs in the same
 * process, where a row costs little.
 */
export const sqliteObject: Dialect = {
  ...sqlite,
  ...{ page: pageLines, readPage: readPageLines, pages: pagesLines, readPages: readPagesLines },
}

/**
 * The head is at position 0, before every row; one row more than the page says if there is more.
 */
function pageLines(schema: Schema, bound: PageBound): string {
  const params = pageParams(sqlite, bound.again)
  const cap = pageCap(sqlite, schema, params, bound, unionTermsMax)
  const head = `SELECT 0 AS position, concat(incarnation, '\n', position, '\n', watermark, '\n', cap$, '\n', large$) AS text$ FROM page$`
  const arms = pageArms(schema, bound, (table, part) =>
    pageRows(sqlite, table, part, `position, ${changeText(table, part)} AS text$`, params.position, params),
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
