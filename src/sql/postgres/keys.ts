import type { Table } from '../../model/table.ts'
import { sqlEngineOf } from '../adopted/engine.ts'
import { basePosition, type Dialect } from '../dialect.ts'
import { quoted } from '../quoted.ts'

/**
 * How rows are looked up, so that no plan depends on what the statistics say. Where they know
 * nothing of a scope, or something wrong, the planner expects one row of it: then every index that
 * begins with the scope costs the same to it, (scope, position) and the user's own as the key, and
 * it walks a scope of 100,000 rows for each id.
 *
 * So the pair that an index must be able to look for is compared once more, as a pair, with a scope
 * whose finding the planner takes for dear. The right index evaluates that once, for its search;
 * any other must also check each row with it, which makes it the dearer one, by more than all that
 * differs between two indexes, whatever rows are expected. In truth it costs next to nothing: a
 * scope is never NULL, so that only the first argument ever runs.
 */
const dear = (scope: string) => `coalesce((SELECT ${scope}), ('' < ALL (SELECT generate_series(1, 500)::text))::text)`

export const byKey: Dialect['byKey'] = (scope, id) =>
  `scope = ${scope} AND id = ${id} AND (scope, id) >= (${dear(scope)}, ${id})`

/** The same for a key of the user's own. */
export const hasKey: Dialect['hasKey'] = (row, scope, values) => {
  const columns = [`${row}.scope`, ...values.map(([column]) => `${row}.${column}`)].join(', ')
  const equal = values.map(([column, value]) => `${row}.${column} = ${value}`).join(' AND ')
  return `${row}.scope = ${scope} AND ${equal} AND (${columns}) >= (${[dear(scope), ...values.map(([, value]) => value)].join(', ')})`
}

/** From that id on, in their order. */
export const fromId = (scope: string, id: string) =>
  `scope = ${scope} AND id >= ${id} AND (scope, id) >= (${dear(scope)}, ${id})`

export const above: Dialect['above'] = (scope, position) =>
  `scope = ${scope} AND position > ${position} AND (scope, position) > (${dear(scope)}, ${position})`

/**
 * The index that serves has `deleted` too, so that the other one on (scope, position) must check
 * each row. No row that lives is above its position by that. Where a table lacks this index, the
 * other one is taken.
 */
export const aliveAbove: Dialect['aliveAbove'] = (scope, position) =>
  `scope = ${scope} AND position > ${position} AND (scope, position, deleted) > (${dear(scope)}, ${position}, true) AND NOT deleted`

export const target: Dialect['target'] = (table) =>
  sqlEngineOf(table)?.postgres.spelling.side(table) ?? quoted(table.name)

export const joinApp: Dialect['joinApp'] = (table, side) => sqlEngineOf(table)?.postgres.joinApp(table, side) ?? ''

/**
 * OFFSET 0 keeps the planner from joining the two in another way than row by row, the ids outside.
 */
export const found: Dialect['found'] = (table, scope, id, join, locked) =>
  `${join} LATERAL (SELECT * FROM ${target(table)} WHERE ${byKey(scope, id)} OFFSET 0${locked ? ' FOR NO KEY UPDATE' : ''}) AS found$${join === 'LEFT JOIN' ? ' ON true' : ''}${joinApp(table, 'found$')}`

export const fromScopes: Dialect['fromScopes'] = (scopes) =>
  `FROM (SELECT unnest(${scopes}::text[]) COLLATE "C" AS id$) AS sent$ CROSS JOIN LATERAL (SELECT * FROM driftline_scopes WHERE scope = sent$.id$ OFFSET 0) AS found$`

export function fromIds(table: Table, scope: string, ids: string, n?: string): string {
  const sent = `SELECT unnest(${ids}::text[]) COLLATE "C" AS id$`
  // The ids that were written, by their positions, and looked up no more: reading a range costs a
  // fraction of it.
  const written = n && ` EXCEPT SELECT id FROM ${target(table)} WHERE ${above(scope, basePosition(scope, n))}`
  return `FROM (${sent}${written ?? ''}) AS sent$ ${found(table, scope, 'sent$.id$', 'CROSS JOIN')}`
}
