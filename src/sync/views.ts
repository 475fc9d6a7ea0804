import { createBoundedMap } from '../model/bounded-map.ts'
import type { Schema } from '../model/table.ts'
import {
  type AppColumns,
  isSameKnown,
  type Known,
  knownOf,
  latestVersion,
  namedLater,
  viewOf,
  viewOfSilent,
} from '../model/view.ts'
import type { Sql } from '../sql/schema-sql.ts'
import { createPages, type Pages } from './pull/read-page.ts'

/** The schema as an app sees it, and what is made of it. */
export interface View {
  readonly sql: Sql
  readonly pages: Pages
  readonly known: Known
}

/** Of apps that are seldom heard of the SQL is made anew. */
const viewsMax = 100

/**
 * The schema as each app sees it, compiled once. For an app that does not say what it knows the
 * changes count that it sends.
 */
export function createViews(
  schema: Schema,
  compile: (view: Schema) => Sql,
): (app: AppColumns | undefined, changes?: readonly unknown[]) => View {
  const views = createBoundedMap<string, View>(viewsMax)
  function compiled(key: string, seen: Schema, known: Known): View {
    const view = views.get(key) ?? viewWith(compile(seen), known)
    views.set(key, view)
    return view
  }
  const viewWith = (sql: Sql, known: Known): View => ({ sql, pages: createPages(sql), known })
  const whole = viewWith(compile(schema), knownOf(schema))
  const latest = latestVersion(schema)
  // It may have version 1, and get what is later again once it says that it knows it.
  const knownFirst = knownOf(viewOf(schema, 1))
  return (app, changes = []) => {
    if (app === 'all' || (app === undefined && latest === undefined)) return whole
    if (app === undefined) {
      const named = namedLater(schema, changes)
      return compiled(`silent ${[...named].sort()}`, viewOfSilent(schema, named), knownFirst)
    }
    const seen = viewOf(schema, typeof app === 'number' ? Math.min(app, latest ?? 1) : app)
    const known = knownOf(seen)
    return isSameKnown(known, whole.known) ? whole : compiled(known.join(), seen, known)
  }
}
