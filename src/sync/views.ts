import { createBoundedMap } from '../model/bounded-map.ts'
import type { Schema } from '../model/table.ts'
import { type AppColumns, type Known, knownOf, viewOf } from '../model/view.ts'
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

/** Compiles the schema as each app sees it, once. */
export function createViews(schema: Schema, compile: (view: Schema) => Sql): (app?: AppColumns) => View {
  const views = createBoundedMap<string, View>(viewsMax)
  const make = (seen: Schema, known: Known): View => {
    const sql = compile(seen)
    return { sql, pages: createPages(sql), known }
  }
  const whole = make(schema, knownOf(schema))
  const silent = viewOf(schema, undefined)
  return (app) => {
    if (app === 'all' || (app === undefined && silent === schema)) return whole
    const seen = app === undefined ? silent : viewOf(schema, app)
    const known = knownOf(seen)
    const key = known.join()
    // An app that knows everything, under its name of today, sees the whole.
    if (key === whole.known.join()) return whole
    const found = views.get(key) ?? make(seen, known)
    views.set(key, found)
    return found
  }
}
