import { parse } from 'libpg-query'

/** A node of Postgres' own parse tree: one member, named by the kind of the node. */
// biome-ignore lint/suspicious/noExplicitAny: the tree of a parser, read by the names of its grammar
type Node = any

/**
 * What keeps a statement from being run within one scope, as Postgres' own parser reads it; nothing
 * where it is. Each table that it names must be held to `scope = $1` at the top level of the WHERE
 * beside it, or of the ON that joins it; each row that it inserts must have $1 for its scope, and
 * conflict on a key that holds the scope. That is what Citus needs to send the statement to one
 * node, and what shards need to send it to one database.
 */
export async function scopeFaults(sql: string): Promise<string[]> {
  const { stmts = [] } = (await parse(sql)) as Node
  const faults: string[] = []
  const tables = { count: 0 }
  for (const { stmt } of stmts) visit(stmt, new Set(), faults, tables)
  if (stmts.length !== 1) faults.push(`${stmts.length} statements`)
  if (tables.count === 0) faults.push('no table at all')
  return faults
}

function visit(node: Node, outer: ReadonlySet<string>, faults: string[], tables: { count: number }): void {
  if (node === null || typeof node !== 'object') return
  if (Array.isArray(node)) {
    for (const item of node) visit(item, outer, faults, tables)
    return
  }
  // The inside of a SELECT, which in a set operation stands without its kind, is known by its op.
  const query = typeof node.op === 'string' ? node : (node.UpdateStmt ?? node.DeleteStmt ?? node.InsertStmt)
  const ctes: Node[] = query?.withClause?.ctes ?? []
  const named = new Set([...outer, ...ctes.map(({ CommonTableExpr }) => CommonTableExpr.ctename)])
  if (query) checkTables(query, named, faults, tables)
  if (node.InsertStmt) checkInsert(node.InsertStmt, faults, tables)
  if (node.UpdateStmt && setsScope(query.targetList)) faults.push('sets the scope')
  for (const item of Object.values(node)) visit(item, named, faults, tables)
}

interface Source {
  readonly name: string
  /** Conditions that every row of it meets. */
  readonly conditions: readonly Node[]
}

function checkTables(query: Node, ctes: ReadonlySet<string>, faults: string[], tables: { count: number }): void {
  const where = conjuncts(query.whereClause)
  const target = query.relation && !query.cols ? [{ RangeVar: query.relation }] : []
  const sources = [...target, ...(query.fromClause ?? [])]
    .flatMap((item) => sourcesOf(item, where))
    .filter(({ name }) => !ctes.has(name))
  tables.count += sources.length
  for (const { name, conditions } of sources) {
    const only = sources.length === 1
    if (!conditions.some((one) => isScopeFilter(one, name, only))) faults.push(`${name} is not held to the scope`)
  }
}

/** The tables of an item of FROM. The WHERE filters each; an ON those that it can leave out. */
function sourcesOf(item: Node, conditions: readonly Node[]): Source[] {
  if (item.RangeVar) return [{ name: item.RangeVar.alias?.aliasname ?? item.RangeVar.relname, conditions }]
  if (!item.JoinExpr) return []
  const { jointype, larg, rarg, quals } = item.JoinExpr
  const on = conjuncts(quals)
  const [left, right] = [jointype === 'JOIN_INNER', jointype === 'JOIN_INNER' || jointype === 'JOIN_LEFT']
  return [
    ...sourcesOf(larg, left ? [...conditions, ...on] : conditions),
    ...sourcesOf(rarg, right ? [...conditions, ...on] : conditions),
  ]
}

function conjuncts(condition: Node): Node[] {
  if (!condition) return []
  return condition.BoolExpr?.boolop === 'AND_EXPR' ? condition.BoolExpr.args.flatMap(conjuncts) : [condition]
}

/** `scope = $1`, where need be with the table's name. */
function isScopeFilter({ A_Expr: expr }: Node, table: string, only: boolean): boolean {
  if (expr?.kind !== 'AEXPR_OP' || expr.name[0].String.sval !== '=' || expr.rexpr?.ParamRef?.number !== 1) return false
  const path = (expr.lexpr?.ColumnRef?.fields ?? []).map(({ String: part }: Node) => part?.sval).join('.')
  return path === `${table}.scope` || (only && path === 'scope')
}

function checkInsert(insert: Node, faults: string[], tables: { count: number }): void {
  tables.count++
  const { relname } = insert.relation
  const place = insert.cols.findIndex(({ ResTarget }: Node) => ResTarget.name === 'scope')
  const select = insert.selectStmt.SelectStmt
  const rows: Node[] = select.valuesLists?.map(({ List }: Node) => List.items[place]) ?? [
    select.targetList[place]?.ResTarget.val,
  ]
  if (place < 0 || rows.some((value) => value?.ParamRef?.number !== 1)) faults.push(`${relname} gets another scope`)
  const conflict = insert.onConflictClause
  if (conflict && !conflict.infer?.indexElems?.some(({ IndexElem }: Node) => IndexElem.name === 'scope'))
    faults.push(`${relname} conflicts on a key without the scope`)
  if (setsScope(conflict?.targetList)) faults.push(`${relname} gets another scope on conflict`)
  // Citus: "subqueries are not supported within INSERT queries", but for the SELECT of its rows.
  if (/"SubLink"/.test(JSON.stringify([insert.returningClause, insert.returningList, conflict, select.valuesLists])))
    faults.push(`${relname} has a subquery beside its SELECT`)
}

function setsScope(targets: Node[] = []): boolean {
  return targets.some(({ ResTarget }) => ResTarget.name === 'scope')
}
