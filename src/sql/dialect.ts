import type { Schema, Table, TableColumn } from '../model/table.ts'
import { type ColumnType, isLong } from '../model/value.ts'
import { quoted } from './quoted.ts'
import type { RehearseBatch, RehearsedKeys } from './rehearse-sql.ts'
import type { ScopePage } from './scope-page.ts'
import type { AskedPage, PagesBound } from './scope-pages.ts'
import type { Cells, Field } from './statement.ts'

/** An id, and the stamp's two halves: when, and who. */
export interface Stamped {
  readonly id: string
  readonly at: number
  readonly by?: string | undefined
}

/** A column of the target of an upsert, and what it becomes. */
export type Assigned = readonly [column: string, value: string]

/** What a put or delete that meets a row makes of it, and whether that is anything at all. */
export interface Meeting {
  readonly assigned: readonly Assigned[]
  readonly applies: string
}

/**
 * How a database spells what the stages need: a few pure functions, and nothing outside this folder
 * asks for a name.
 */
export interface Dialect {
  readonly name: 'postgres' | 'sqlite'
  /** Why its databases adopt no table, where they do not. */
  readonly adoptsNone?: string
  /**
   * The table with the columns that driftline keeps of a row: the table itself, or its side rows
   * where it is adopted.
   */
  target(table: Table): string
  /**
   * Behind side rows of that name in FROM: the app's row, as a join with `app$`, which has the
   * other columns, and key$. Nothing where the table is not adopted.
   */
  joinApp(table: Table, side: string): string
  /** Parameter number 1, 2, 3 … */
  param(place: number): string
  /**
   * Rows as the texts of parameters: so many whatever the number of rows. `undefined` and null both
   * become NULL.
   */
  encodeRows(fields: readonly Field[], rows: readonly (readonly unknown[])[]): readonly string[]
  /** Whether each field has a parameter of its own, or all have one. */
  readonly encodesByField: boolean
  /**
   * The rows of such parameters, the first of which has that number, in their order, as an item of
   * FROM, named `sent$`.
   */
  decodeRows(fields: readonly Field[], first: number): string
  /**
   * Ids and stamps, those of `client` where they do not say it, as `encodeRows` does it, and the
   * rows of such parameters with the columns id$, at$ and by$.
   */
  encodeStamps(stamps: readonly Stamped[], client: string): readonly string[]
  decodeStamps(first: number): string
  /**
   * Ids as the text of one parameter, and the rows of a table that have them as `FROM …`: without
   * those that this transaction, which took `n` positions, has written.
   */
  encodeIds(ids: readonly string[]): string
  fromIds(table: Table, scope: string, ids: string, n?: string): string
  /** The rows of `driftline_scopes` for these scopes, in a parameter as `encodeIds` makes it. */
  fromScopes(scopes: string): string
  /**
   * The stored row of an id for each of the rows that stand before it in FROM, and in their order,
   * as a join with `found$`. `locked` against writers beside driftline, as the row is by then.
   */
  found(table: Table, scope: string, id: string, join: 'LEFT JOIN' | 'CROSS JOIN', locked?: 'locked'): string
  /**
   * Conditions for one row by its key, and for a scope's rows above a position: no other index is
   * taken for them.
   */
  byKey(scope: string, id: string): string
  above(scope: string, position: string): string
  /** The same of the rows that live, by the index that holds no other. */
  aliveAbove(scope: string, position: string): string
  /**
   * Whether a row of a scope has these values in columns of an index that begins with the scope.
   */
  hasKey(row: string, scope: string, values: readonly (readonly [column: string, value: string])[]): string
  /** Whether a row `holder$` meets a condition, and a join with each that does. */
  anyHolder(table: Table, condition: string): string
  eachHolder(table: Table, condition: string): string
  /** Whether an id is among those of a parameter that `encodeIds` made. */
  isAmong(id: string, ids: string): string
  /** A stamp as one text, see `stampText` in model/merge.ts. */
  stampText(at: string, by: string): string
  /** A time in a parameter, with six digits, as a column keeps it. */
  time(param: string, column: TableColumn): string
  /**
   * What is remembered of each add that stands before it in FROM as `sent$`, as a join with
   * `known$`.
   */
  foundAdd(table: string, scope: string, client: string, join: 'LEFT JOIN' | 'CROSS JOIN'): string
  /** ` + …`: what was added to a column of the row `found$`, or of `id`, later than a stamp. */
  addedSince(table: string, column: string, stamp: Record<'scope' | 'at' | 'by', string> & { id?: string }): string
  /**
   * The time of an add or a set without one: `at`, or one later than the last set, whose stamp is
   * `setAt`, and than the client's last add.
   */
  raisedAdd(table: string, edit: Record<'scope' | 'by' | 'at' | 'column' | 'setAt', string>): string
  /** The bytes that a column of text, JSON or bytes holds in a row. */
  octets(type: ColumnType, column: string): string
  /** ON CONFLICT (scope, id) …: the guard of last writer wins. The target is named `stored$`. */
  onConflict(columns: readonly Assigned[]): string
  /** The same by the rules of the table, see `meeting`. */
  onMeeting(meeting: Meeting): string
  /**
   * Whether RETURNING of the upsert gives the losers too; where not, a second statement reads them.
   */
  readonly returnsLosers: boolean
  /**
   * Lays expressions out as a row of a result, in the form that costs the driver least, and takes
   * such a row apart again.
   */
  line(expressions: readonly string[]): string
  splitLine(row: Cells): Cells
  /**
   * A stored row as expressions for a line. `readRow` makes the change that would write it of them,
   * from place `from` on, as JSON text.
   */
  row(table: Table): readonly string[]
  readRow(table: Table, scope: string, cells: Cells, from: number): string
  /**
   * [scope, position, start, n, limit] → the head and one page, in one statement; `readPage` reads
   * its rows.
   */
  page(schema: Schema, bound: PageBound): string
  readPage(schema: Schema, scope: string, rows: readonly Cells[]): ScopePage
  /** Pages of many scopes by one statement. Undefined: a database holds one scope. */
  readonly together?: Together
  /**
   * An expression that fails the statement, and so the batch, with the text in its message. `salt`
   * keeps planners from evaluating it early.
   */
  raise(text: string, salt: string): string
  /**
   * [names of the synced tables as JSON] → the foreign keys to them: parent, child, whether it is
   * synced, key, column of the child, column of the parent, rule.
   */
  readonly references: string
  /**
   * Where a database can try groups of statements by itself, see `Store.rehearse`: the batch that
   * does it.
   */
  readonly rehearseBatch?: RehearseBatch
  /** Where it cannot, what must hold besides the statements that are tried. */
  readonly rehearsedKeys?: RehearsedKeys
}

/** How a database spells the pages of many scopes. */
export interface Together {
  /** Scopes and how far each was read, as the texts of parameters. */
  encodeAsked(asked: readonly AskedPage[]): readonly string[]
  /**
   * [scopes as `encodeAsked` gives them, limit] → the head and the page of each that has moved, in
   * one statement, whose rows `readPages` reads.
   */
  pages(schema: Schema, bound: PagesBound): string
  /** [scopes as `encodeAsked` gives them] → how many rows all their pages will hand out. */
  countPages(schema: Schema, bound: Pick<PagesBound, 'bootstraps'>): string
  readPages(schema: Schema, asked: readonly AskedPage[], rows: readonly Cells[]): readonly ScopePage[]
}

/**
 * What SQLite needs between an INSERT's FROM and its ON CONFLICT. A column may be named `true`,
 * which would then be meant.
 */
export const always = '1 = 1'

/**
 * Whether one of the terms holds, as a tree that is no deeper than it must be: a Durable Object
 * takes a depth of 100.
 */
export function anyOf(terms: readonly string[]): string {
  if (terms.length <= 4) return terms.map((term) => `(${term})`).join(' OR ') || '1 = 0'
  const half = terms.length >> 1
  return `(${anyOf(terms.slice(0, half))}) OR (${anyOf(terms.slice(half))})`
}

/** The scope's position before this transaction took its own `n`. */
export function basePosition(scope: string, n: string): string {
  return `(SELECT position - CAST(${n} AS bigint) FROM driftline_scopes WHERE scope = ${scope})`
}

/**
 * No page may fill the memory. Where so many of the largest row ever written to the scope could
 * pass `bytesMax`, a page holds as many as surely fit, or, if it is `sized`, looks at the rows'
 * sizes: ordinary scopes need not pay for that.
 */
export interface PageBound {
  readonly bytesMax: number
  readonly sized: boolean
  /** The page is of a bootstrap. */
  readonly bootstraps: boolean
  /**
   * The page hands out again: a condition for rows of a table, or nothing where it is not about
   * them.
   */
  readonly again?: (table: Table) => string | undefined
}

/** The parameters of a page, by their places. */
export interface PageParams {
  readonly scope: string
  readonly position: string
  readonly start: string
  readonly limit: string
  /** The scope's position less `n`, the last that a page may hold. */
  readonly upper: string
  readonly again?: PageBound['again']
  /** What stands before the table in FROM, where that names the scopes. */
  readonly outer?: string
}

export function pageParams(
  { param }: Pick<Dialect, 'param'>,
  again?: PageBound['again'],
  upper = basePosition(param(1), param(4)),
): PageParams {
  return { scope: param(1), position: param(2), start: param(3), limit: param(5), upper, ...(again && { again }) }
}

/**
 * What a page reads of each table: `all` rows, or for a bootstrap those that are `alive`, by an
 * index that holds no other, and those that `died` since it began: so nobody walks through the
 * tombstones before. `again` are the living ones up to the start that a client gets once more.
 */
export type PagePart = 'all' | 'alive' | 'died' | 'again'

export const pageParts = ({ bootstraps, again }: Pick<PageBound, 'bootstraps' | 'again'>): readonly PagePart[] =>
  again ? ['again'] : bootstraps ? ['alive', 'died'] : ['all']

/** How the rows of a page are found. */
export type Lookup = Pick<Dialect, 'above' | 'aliveAbove' | 'target' | 'joinApp'>

/** Whether a row that was found is none any more: a side row may say less than the app's table. */
export const isDead = (table: Table): string =>
  table.adopted && table.columns.length > 0 ? '(deleted OR app$.key$ IS NULL)' : 'deleted'

/**
 * The rows of one table that a page may hold, after `from`. Positions above the scope's less `n`
 * are this transaction's own and left out, and so are tombstones up to where the bootstrap began.
 */
export function pageRows(
  { above, aliveAbove, target, joinApp }: Lookup,
  table: Table,
  part: PagePart,
  select: string,
  from: string,
  { scope, start, upper, again, outer = '' }: PageParams,
): string {
  const conditions = {
    all: `${above(scope, from)} AND position <= ${upper} AND (NOT deleted OR position > ${start})`,
    alive: `${aliveAbove(scope, from)} AND position <= ${upper}`,
    // A page of a bootstrap ends before where it began, or a little behind it: an index is read
    // from there on.
    died: `${above(scope, start)} AND position > ${from} AND position <= ${upper} AND deleted`,
    again: `${aliveAbove(scope, from)} AND position <= ${start} AND (${again?.(table)})`,
  }
  const rows = table.adopted ? `${target(table)} AS side$${joinApp(table, 'side$')}` : target(table)
  return `SELECT ${select} FROM ${outer}${rows}
WHERE ${conditions[part]}`
}

/** The same for each part and table, in the order of the tables. */
export function pageArms(
  { tables }: Schema,
  bound: Pick<PageBound, 'bootstraps' | 'again'>,
  rowsOf: (table: Table, part: PagePart, place: number) => string,
): string[] {
  const parts = pageParts(bound)
  const isRead = (table: Table) => !bound.again || bound.again(table) !== undefined
  return tables.flatMap((table, place) => (isRead(table) ? parts.map((part) => rowsOf(table, part, place)) : []))
}

/** The bytes that a stored row holds in its large columns, and a little for the rest. */
export function rowOctets({ columns }: Table, octets: Dialect['octets']): string {
  const sized = columns.filter(({ type }) => isLong(type))
  return ['64', ...sized.map(({ name, type }) => `coalesce(${octets(type, quoted(name))}, 0)`)].join(' + ')
}

/**
 * Whether the rows of a scope could pass the bound, as an expression over its line in
 * driftline_scopes.
 */
export function isLarge({ limit }: PageParams, { bytesMax }: PageBound): string {
  return `row_bytes * ${limit} > ${bytesMax}`
}

/** The rows of a page at the most, as an expression over the scope's line in driftline_scopes. */
export function pageCap(
  dialect: Spelling,
  schema: Schema,
  params: PageParams,
  bound: PageBound,
  termsMax?: number,
): string {
  const { bytesMax, sized } = bound
  const fits = `CASE WHEN row_bytes >= ${bytesMax} THEN 1 ELSE ${bytesMax} / row_bytes END`
  return `CASE WHEN NOT ${isLarge(params, bound)} THEN ${params.limit} ELSE ${sized ? sizedCap(dialect, schema, params, bound, termsMax) : fits} END`
}

/** What a page needs of a dialect. */
type Spelling = Lookup & Pick<Dialect, 'octets'>

function sizedCap(dialect: Spelling, schema: Schema, params: PageParams, bound: PageBound, termsMax?: number): string {
  if (schema.tables.length === 0) return params.limit
  const { bytesMax } = bound
  const arms = pageArms(schema, bound, (table, part) => {
    const size = part === 'died' ? '64' : rowOctets(table, dialect.octets)
    return pageRows(dialect, table, part, `position, ${size} AS size$`, params.position, params)
  })
  return `
(SELECT CASE WHEN coalesce(sum(size$), 0) <= ${bytesMax} THEN ${params.limit} WHEN max(size$) >= ${bytesMax} THEN 1 ELSE ${bytesMax} / max(size$) END
FROM (${inOrder(arms, params.limit, termsMax)}) AS sizes$)`
}

/**
 * The arms as one, in position order, so many rows. More than `termsMax` arms are put together in
 * groups, each bounded by itself, so that every table is read by its index and no further than
 * needed.
 */
export function inOrder(arms: readonly string[], limit: string, termsMax = arms.length): string {
  if (arms.length <= termsMax) return `${arms.join('\nUNION ALL\n')} ORDER BY position LIMIT ${limit}`
  const groups: string[] = []
  for (let from = 0; from < arms.length; from += termsMax)
    groups.push(`SELECT * FROM (${inOrder(arms.slice(from, from + termsMax), limit)})`)
  return inOrder(groups, limit, termsMax)
}
