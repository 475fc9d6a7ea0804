import type { Schema } from '../model/table.ts'
import {
  type Dialect,
  inOrder,
  type Lookup,
  type PageParams,
  type PagePart,
  pageArms,
  pageRows,
  rowOctets,
} from './dialect.ts'
import type { PagesBound } from './scope-pages.ts'

/** What a dialect brings to a statement of many pages. */
export interface PagesSpelling extends Lookup, Pick<Dialect, 'octets'> {
  /**
   * The scopes whose head is not the very one that their cursor names, as a SELECT of place$,
   * scope$, position$ and start$ as they were asked for, own$ (the incarnation), at$ (the
   * position), watermark$, row_bytes$, upper$ (the last position to be read) and reads$ (whether
   * there may be rows for this cursor).
   */
  readonly heads: string
  readonly limit: string
  /** The function that makes a JSON array. */
  readonly array: string
  /** Whether each SELECT of a union is to be bounded by itself, lest it be read to its end. */
  readonly boundsArms?: true
  /** SELECTs that one UNION ALL may join. */
  readonly termsMax?: number
}

/**
 * The beginning of a statement that reads pages of many scopes: `head$` has the scopes that are not
 * where their cursor is, and `reach$` of these the ones to read, and up to which position, cut$.
 *
 * The rows of all of them, in the order of the scopes, are bounded here, before any is read: by
 * their number and by their bytes. Where positions and the largest row of each scope say that all
 * fits, which is true of nearly every request, it costs nothing. Else `walk$` goes from scope to
 * scope and counts, with what is left of both in a JSON array, and where it is used up, no scope
 * behind is looked at. One row always fits, so that whoever asks again and again gets through.
 */
export function reachSql(schema: Schema, bound: PagesBound, spelling: PagesSpelling): string {
  const { heads, limit, array, termsMax } = spelling
  const { bytesMax } = bound
  const [rowsLeft, bytesLeft] = [0, 1].map((place) => `CAST(walk$.left$ ->> ${place} AS bigint)`)
  const params: PageParams = {
    ...{ scope: 'behind$.scope$', position: 'behind$.position$', start: 'behind$.start$' },
    ...{ limit, upper: 'behind$.upper$' },
  }
  const sizes = pageArms(schema, bound, (table, part) => {
    const size = part === 'died' ? '64' : rowOctets(table, spelling.octets)
    const weighed = `CASE WHEN (SELECT weighs$ FROM bound$) THEN ${size} ELSE 0 END`
    return pageRows(spelling, table, part, `position, ${weighed} AS size$`, params.position, params)
  })
  // One alone is bounded where it is taken.
  const bounded =
    spelling.boundsArms && sizes.length > 1
      ? sizes.map((arm) => `(${arm} ORDER BY position LIMIT ${limit} + 1)`)
      : sizes
  const arms = bounded.length > 0 ? bounded : ['SELECT 0 AS position, 0 AS size$ WHERE 1 = 0']
  const isAll = 'count(*) = count(*) FILTER (WHERE taken$)'
  return `WITH RECURSIVE head$ AS MATERIALIZED (${heads}),
behind$ AS MATERIALIZED (SELECT head$.*, row_number() OVER (ORDER BY place$) AS turn$, CASE WHEN upper$ - position$ > ${limit} THEN ${limit} + 1 ELSE upper$ - position$ END AS most$ FROM head$ WHERE reads$),
bound$ AS MATERIALIZED (SELECT coalesce(sum(most$) <= ${limit} AND sum(most$ * row_bytes$) <= ${bytesMax}, 1 = 1) AS fits$, max(row_bytes$) * ${limit} > ${bytesMax} AS weighs$ FROM behind$),
walk$ (turn$, left$) AS (SELECT CAST(0 AS bigint), ${array}(${limit}, ${bytesMax}) FROM bound$ WHERE NOT fits$
UNION ALL SELECT behind$.turn$, (SELECT ${array}(CASE WHEN ${isAll} THEN ${rowsLeft} - count(*) ELSE 0 END, ${bytesLeft} - coalesce(sum(size$) FILTER (WHERE taken$), 0), CASE WHEN ${isAll} THEN behind$.upper$ ELSE coalesce(max(position) FILTER (WHERE taken$), behind$.position$) END)
FROM (SELECT position, size$, number$ <= ${rowsLeft} AND (total$ <= ${bytesLeft} OR number$ = 1 AND ${bytesLeft} = ${bytesMax}) AS taken$
FROM (SELECT position, size$, row_number() OVER size_window$ AS number$, sum(size$) OVER size_window$ AS total$
FROM (${inOrder(arms, `${limit} + 1`, termsMax)}) AS sizes$ WINDOW size_window$ AS (ORDER BY position ROWS UNBOUNDED PRECEDING)) AS totals$) AS taken$)
FROM walk$ CROSS JOIN behind$ WHERE behind$.turn$ = walk$.turn$ + 1 AND ${rowsLeft} > 0),
reach$ AS MATERIALIZED (SELECT behind$.*, CASE WHEN fits$ THEN upper$ ELSE coalesce((SELECT CAST(left$ ->> 2 AS bigint) FROM walk$ WHERE walk$.turn$ = behind$.turn$), position$) END AS cut$ FROM behind$ CROSS JOIN bound$)`
}

/** The rows of `reach$` in each part and table. */
export function reachArms(
  schema: Schema,
  bound: PagesBound,
  spelling: Lookup,
  select: (table: Schema['tables'][number], part: PagePart, place: number) => string,
  outer = '',
): string[] {
  const params: PageParams = {
    ...{ scope: 'reach$.scope$', position: 'reach$.position$', start: 'reach$.start$' },
    ...{ limit: '', upper: 'reach$.cut$', outer },
  }
  return pageArms(schema, bound, (table, part, place) =>
    pageRows(spelling, table, part, select(table, part, place), params.position, params),
  )
}

/** How many rows the pages of all scopes will hand out, by the very conditions of a page. */
export function countReachSql(
  schema: Schema,
  bound: Pick<PagesBound, 'bootstraps'>,
  spelling: Lookup & Pick<PagesSpelling, 'heads'>,
): string {
  const params: PageParams = {
    ...{ scope: 'behind$.scope$', position: 'behind$.position$', start: 'behind$.start$' },
    ...{ limit: '', upper: 'behind$.upper$' },
  }
  const counts = pageArms(
    schema,
    bound,
    (table, part) => `(${pageRows(spelling, table, part, 'count(*)', params.position, params)})`,
  )
  return `SELECT coalesce(sum(rows$), 0) FROM (SELECT ${counts.join(' + ') || '0'} AS rows$ FROM (${spelling.heads}) AS behind$ WHERE reads$) AS counted$`
}
