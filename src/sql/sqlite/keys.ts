import { basePosition, type Dialect, quoted } from '../dialect.ts'

/**
 * How rows are looked up. SQLite takes the index of which it can use the most columns, whatever a
 * scope holds.
 */
export const byKey: Dialect['byKey'] = (scope, id) => `scope = ${scope} AND id = ${id}`

export const above: Dialect['above'] = (scope, position) => `scope = ${scope} AND position > ${position}`

export const aliveAbove: Dialect['aliveAbove'] = (scope, position) => `${above(scope, position)} AND NOT deleted`

/** SQLite never changes the order of a CROSS JOIN. One writes at a time: nothing needs a lock. */
export const found: Dialect['found'] = ({ name }, scope, id, join) =>
  `${join} ${quoted(name)} AS found$ ON found$.scope = ${scope} AND found$.id = ${id}`

export const fromScopes: Dialect['fromScopes'] = (scopes) =>
  `FROM driftline_scopes WHERE scope IN (SELECT value FROM json_each(${scopes}))`

/** The + keeps the index on position out of it. */
export const fromIds: Dialect['fromIds'] = ({ name }, scope, ids, n) => {
  const unwritten = n ? ` AND +position <= ${basePosition(scope, n)}` : ''
  return `FROM ${quoted(name)} AS found$ WHERE scope = ${scope} AND id IN (SELECT value FROM json_each(${ids}))${unwritten}`
}
