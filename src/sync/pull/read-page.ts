import { type BoundedMap, createBoundedMap } from '../../model/bounded-map.ts'
import type { CursorEntry, ScopeHead } from '../../model/cursor-entry.ts'
import { headSql } from '../../sql/count-sql.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import { parseHead, type ScopePage } from '../../sql/scope-page.ts'
import type { Cells } from '../../sql/statement.ts'
import type { Store } from '../../stores/store.ts'
import type { PageRange } from '../push/planned.ts'
import { planPage } from './plan-reads.ts'

/** Asks for pages and reads them. */
export interface Pages {
  rangeOf(scope: string, entry: CursorEntry | undefined, limit: number): PageRange
  read(scope: string, rows: readonly Cells[] | undefined): ScopePage
  /** Scopes with a row so large that the answer to a push is weighed. */
  readonly heavy: BoundedMap<string, true>
  /** One page by itself, in a round trip of its own. */
  fetch(batch: Store['batch'], scope: string, range: PageRange): Promise<ScopePage>
  /** What a cursor is held against, and no row. */
  fetchHead(batch: Store['batch'], scope: string): Promise<ScopeHead | undefined>
}

/**
 * Scopes that are remembered at the most. Whichever is forgotten has one short page or one more
 * try.
 */
const rememberedMax = 10_000

/**
 * Remembers which scopes hold rows so large that a page must look at their sizes. Only the others,
 * by far the most, are spared that; a large scope met for the first time answers with a short page
 * and `more`.
 */
export function createPages(sql: Sql): Pages {
  const large = createBoundedMap<string, true>(rememberedMax)
  const head = headSql(sql.dialect)
  const pages: Pages = {
    heavy: createBoundedMap(rememberedMax),
    rangeOf: (scope, entry, limit) => ({ entry, limit, sized: large.get(scope) === true }),
    read(scope, rows) {
      const page = sql.dialect.readPage(sql.schema, scope, rows ?? [])
      if (page.large) large.set(scope, true)
      return page
    },
    async fetch(batch, scope, range) {
      const [rows] = await batch(scope, [planPage(sql, scope, range)])
      return pages.read(scope, rows)
    },
    async fetchHead(batch, scope) {
      const [rows = []] = await batch(scope, [{ sql: head, params: [scope], reads: true }])
      return parseHead(rows)
    },
  }
  return pages
}
