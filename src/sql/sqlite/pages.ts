import { rowBreak } from '../../model/row-text.ts'
import type { Schema } from '../../model/table.ts'
import { inOrder } from '../dialect.ts'
import { countReachSql, reachArms, reachSql } from '../reach-sql.ts'
import { parseHead, type ScopePage } from '../scope-page.ts'
import { type AskedPage, type FoundPage, type PagesBound, toPages } from '../scope-pages.ts'
import type { Cell, Cells } from '../statement.ts'
import { changeText, lookup, octets, resolveMarks } from './rows.ts'

/**
 * An object from scopes to texts. Each begins with the very words that the database has for a
 * scope which is where its cursor is, so that nothing more is read of those, by far the most:
 * incarnation, position and a bar. Behind that is JSON of the place, the position, where the
 * bootstrap began, and the positions that the transaction took.
 */
export function encodeAsked(asked: readonly AskedPage[]): readonly string[] {
  let text = '{'
  for (const { scope, entry, n, place } of asked) {
    const { incarnation = null, position = 0, start = null } = entry ?? {}
    // A scope that was never written has neither, and one that bootstraps is never there.
    const words = incarnation === null ? ' ' : `${incarnation} ${start !== null && start > position ? '-' : position}`
    text += `${text === '{' ? '' : ','}${JSON.stringify(scope)}:"${words}|[${place},${position},${start},${n}]"`
  }
  return [`${text}}`]
}

const limit = '?2'

/** The scopes that are not where their cursor is: see `PagesSpelling`. */
function headsText(): string {
  const told = ['place$', 'position$', 'start$', 'n$'].map((name, at) => `asked$ ->> '$[${at}]' AS ${name}`)
  const fits = `incarnation$ IN ('', own$) AND (start$ IS NULL OR at$ >= start$ AND watermark$ <= max(position$, start$))`
  return `SELECT place$, scope$, position$, coalesce(start$, ${Number.MAX_SAFE_INTEGER}) AS start$, own$, at$, watermark$, row_bytes$, at$ - n$ AS upper$, at$ - n$ > position$ AND ${fits} AS reads$, concat('{"scope":', json_quote(scope$)) AS begin$
FROM (SELECT *, ${told.join(', ')} FROM (SELECT sent$.scope$, substr(words$, instr(words$, '|') + 1) AS asked$, substr(words$, 1, instr(words$, ' ') - 1) AS incarnation$, scope$.incarnation AS own$, scope$.position AS at$, scope$.watermark AS watermark$, scope$.row_bytes AS row_bytes$
FROM (SELECT key AS scope$, value AS words$ FROM json_each(?1) LIMIT -1) AS sent$ LEFT JOIN driftline_scopes AS scope$ ON scope$.scope = sent$.scope$
WHERE instr(words$, concat(scope$.incarnation, ' ', scope$.position, '|')) <> 1 LIMIT -1) LIMIT -1)`
}

function reach(schema: Schema, bound: PagesBound, termsMax?: number): string {
  const spelling = { ...lookup, octets, heads: headsText(), limit, array: 'json_array' }
  return reachSql(schema, bound, { ...spelling, ...(termsMax && { termsMax }) })
}

export const countPagesText = (schema: Schema, bound: Pick<PagesBound, 'bootstraps'>): string =>
  countReachSql(schema, bound, { ...lookup, heads: headsText() })

/** A row for each scope that is not where its cursor is: its head, and its page as one text. */
export function pagesText(schema: Schema, bound: PagesBound): string {
  const arms = reachArms(
    schema,
    bound,
    lookup,
    (table, part) => `position, ${changeText(table, part, 'reach$.begin$')} AS text$`,
  )
  const page = `(SELECT concat(count(*), '\n', max(position), '\n', group_concat(text$, '\n')) FROM (${inOrder(arms, '-1')}))`
  return `${reach(schema, bound)}
SELECT head$.place$, head$.own$, head$.at$, head$.watermark$, reach$.cut$, ${arms.length === 0 ? 'NULL' : `CASE WHEN reach$.cut$ > reach$.position$ THEN ${page} END`}
FROM head$ LEFT JOIN reach$ ON reach$.place$ = head$.place$`
}

export function readPagesText(
  _schema: Schema,
  asked: readonly AskedPage[],
  results: readonly Cells[],
): readonly ScopePage[] {
  const found = new Map<number, FoundPage>()
  for (const [place, incarnation, position, watermark, cut = null, page = null] of results) {
    const { count, last, rows } = page === null ? noRows : splitPage(String(page))
    found.set(Number(place), { ...headAndCut(incarnation, position, watermark, cut), count, last, rows })
  }
  return toPages(asked, found)
}

const noRows = { count: 0, last: 0, rows: '' }

function splitPage(page: string): typeof noRows {
  const first = page.indexOf('\n')
  const second = page.indexOf('\n', first + 1)
  const rows = resolveMarks(page.slice(second + 1))
  return { count: Number(page.slice(0, first)), last: Number(page.slice(first + 1, second)), rows }
}

function headAndCut(incarnation: Cell = null, position: Cell = null, watermark: Cell = null, cut: Cell = null) {
  return {
    head: incarnation === null ? undefined : parseHead([[incarnation, position, watermark]]),
    cut: cut === null ? undefined : Number(cut),
  }
}

/** SELECTs that one UNION ALL may join in D1. */
const unionTermsMax = 5

/**
 * For an SQLite that takes no value above 2 MB and joins no more than five SELECTs: a row for each
 * change, behind one for the head of its scope.
 */
export function pagesLines(schema: Schema, bound: PagesBound): string {
  const heads = `SELECT head$.place$ AS place$, 0 AS position, concat_ws('\n', head$.own$, head$.at$, head$.watermark$, reach$.cut$) AS text$ FROM head$ LEFT JOIN reach$ ON reach$.place$ = head$.place$`
  const arms = reachArms(
    schema,
    bound,
    lookup,
    (table, part) => `reach$.place$ AS place$, position, ${changeText(table, part, 'reach$.begin$')} AS text$`,
    'reach$ CROSS JOIN ',
  )
  return `${reach(schema, bound, unionTermsMax)}
SELECT place$, position, text$ FROM (${inGroups([heads, ...arms])}) ORDER BY place$, position`
}

function inGroups(arms: readonly string[]): string {
  if (arms.length <= unionTermsMax) return arms.join('\nUNION ALL\n')
  const groups: string[] = []
  for (let from = 0; from < arms.length; from += unionTermsMax)
    groups.push(`SELECT * FROM (${arms.slice(from, from + unionTermsMax).join('\nUNION ALL\n')} LIMIT -1)`)
  return inGroups(groups)
}

export function readPagesLines(
  _schema: Schema,
  asked: readonly AskedPage[],
  results: readonly Cells[],
): readonly ScopePage[] {
  const found = new Map<number, { page: FoundPage; texts: string[]; last: number }>()
  for (const [place, position, text] of results) {
    const one = found.get(Number(place))
    if (one) {
      one.texts.push(String(text))
      one.last = Number(position)
      continue
    }
    const [incarnation, at, watermark, cut] = text === '' ? [] : String(text).split('\n')
    found.set(Number(place), {
      page: { ...headAndCut(incarnation, at, watermark, cut), ...noRows },
      texts: [],
      last: 0,
    })
  }
  return toPages(
    asked,
    new Map(
      [...found].map(([place, { page, texts, last }]) => {
        const rows = resolveMarks(texts.join(rowBreak))
        return [place, { ...page, count: texts.length, last, rows }]
      }),
    ),
  )
}
