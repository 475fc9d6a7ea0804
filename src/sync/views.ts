import { createBoundedMap } from '../model/bounded-map.ts'
import type { Schema } from '../model/table.ts'
import { type AppColumns, type Known, knownOf, latestVersion, viewOf } from '../model/view.ts'
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
  const versions = createBoundedMap<number, View>(viewsMax)
  const latest = latestVersion(schema)
  function compiled(seen: Schema): View {
    const known = knownOf(seen)
    const key = known.join()
    const found = views.get(key)
    if (found) return found
    const sql = compile(seen)
    const view = { sql, pages: createPages(sql), known }
    views.set(key, view)
    return view
  }
  const whole = compiled(schema)
  return (app) => {
    if (app === 'all' || (app === undefined && latest === undefined)) return whole
    if (app !== undefined && typeof app !== 'number') return compiled(viewOf(schema, app))
    const version = Math.min(app ?? 1, latest ?? 1)
    const view = versions.get(version) ?? compiled(viewOf(schema, version))
    versions.set(version, view)
    return view
  }
}
