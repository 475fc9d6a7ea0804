import { sqlEngineOf } from '../adopted/engine.ts'
import { basePosition, type Dialect } from '../dialect.ts'
import { quoted } from '../quoted.ts'

/**
 * How rows are looked up. SQLite takes the index of which it can use the most columns, whatever a
 * scope holds.
 */
export const byKey: Dialect['byKey'] = (scope, id) => `scope = ${scope} AND id = ${id}`

export const above: Dialect['above'] = (scope, position) => `scope = ${scope} AND position > ${position}`

export const aliveAbove: Dialect['aliveAbove'] = (scope, position) => `${above(scope, position)} AND NOT deleted`

export const target: Dialect['target'] = (table) =>
  sqlEngineOf(table)?.sqlite.spelling.side(table) ?? quoted(table.name)

export const joinApp: Dialect['joinApp'] = (table, side) => sqlEngineOf(table)?.sqlite.joinApp(table, side) ?? ''

/** SQLite never changes the order of a CROSS JOIN. One writes at a time: nothing needs a lock. */
export const found: Dialect['found'] = (table, scope, id, join) =>
  `${join} ${target(table)} AS found$ ON found$.scope = ${scope} AND found$.id = ${id}${joinApp(table, 'found$')}`

export const fromScopes: Dialect['fromScopes'] = (scopes) =>
  `FROM driftline_scopes WHERE scope IN (SELECT value FROM json_each(${scopes}))`

/** The + keeps the index on position out of it. */
export const fromIds: Dialect['fromIds'] = (table, scope, ids, n) => {
  const unwritten = n ? ` AND +position <= ${basePosition(scope, n)}` : ''
  return `FROM ${target(table)} AS found$${joinApp(table, 'found$')} WHERE scope = ${scope} AND id IN (SELECT value FROM json_each(${ids}))${unwritten}`
}
