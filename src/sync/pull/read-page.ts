import { type BoundedMap, createBoundedMap } from '../../model/bounded-map.ts'
import type { Known } from '../../model/view.ts'
import { pageAgain } from '../../sql/again-sql.ts'
import type { Sql } from '../../sql/schema-sql.ts'
import type { ScopePage } from '../../sql/scope-page.ts'
import type { AskedPage } from '../../sql/scope-pages.ts'
import type { Cells, Statement } from '../../sql/statement.ts'
import { planPage } from './plan-reads.ts'

/** Asks for the page of one scope and reads it. */
export interface Pages {
  plan(asked: AskedPage, limit: number): Statement
  read(scope: string, rows: readonly Cells[] | undefined): ScopePage
  /** Scopes with a row so large that the answer to a push is weighed. */
  readonly heavy: BoundedMap<string, true>
  /**
   * [scope, position, start, 0, limit] → the head, and the rows from the position to the start that
   * were handed out with such columns, and not with all that are known now.
   */
  again(sql: Sql, known: Known): string
}

/**
 * Scopes that are remembered at the most. Whichever is forgotten has one short page or one more
 * try.
 */
const rememberedMax = 10_000
/** Other versions of which the statements are kept. */
const againMax = 16

/**
 * Remembers which scopes hold rows so large that a page must look at their sizes. Only the others,
 * by far the most, are spared that; a large scope met for the first time answers with a short page
 * and `more`.
 */
export function createPages(sql: Sql): Pages {
  const large = createBoundedMap<string, true>(rememberedMax)
  const again = createBoundedMap<string, string>(againMax)
  return {
    heavy: createBoundedMap(rememberedMax),
    plan: (asked, limit) => planPage(sql, asked, limit, large.get(asked.scope) === true),
    read(scope, rows) {
      const page = sql.dialect.readPage(sql.schema, scope, rows ?? [])
      if (page.large) large.set(scope, true)
      return page
    },
    again({ dialect, schema }, known) {
      const key = known.join()
      const text = again.get(key) ?? pageAgain(dialect, schema, known)
      again.set(key, text)
      return text
    },
  }
}
