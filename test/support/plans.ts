import type pg from 'pg'

/**
 * Every statement that an object holds, however deep: whatever is added to it later is among them.
 * A function of it must be one that makes an expression from a parameter on, which `weigh` is put
 * before.
 */
export function statementsIn(holder: object, weigh: string): string[] {
  return Object.entries(holder).flatMap(([name, value]): string[] => {
    if (name === 'schema' || name === 'dialect' || name === 'table') return []
    if (typeof value === 'function') return name === 'weight' ? [weigh + value(3)] : []
    if (typeof value === 'object' && value !== null) return statementsIn(value, weigh)
    return typeof value === 'string' && /^(SELECT|INSERT|UPDATE|DELETE|WITH)\b/.test(value) && value !== weigh
      ? [value]
      : []
  })
}

/** A node of EXPLAIN's JSON. */
interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Index Cond'?: string
  readonly Plans?: readonly PlanNode[]
}

let prepared = 0

/**
 * What is wrong with the plan that Postgres has for a statement: each look into a synced table must
 * go by an index, and with more than the scope, an id or a position.
 */
export async function planFaults(client: pg.Client, sql: string): Promise<string[]> {
  const name = `plan_${++prepared}`
  await client.query(`PREPARE ${name} AS ${sql}`)
  const { rows: types } = await client.query(
    'SELECT unnest(parameter_types)::text AS type FROM pg_prepared_statements WHERE name = $1',
    [name],
  )
  const values = types.map(({ type }) => literalOf(type)).join(', ')
  const { rows } = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE ${name}${values && `(${values})`}`)
  await client.query(`DEALLOCATE ${name}`)
  return nodesOf(rows[0]['QUERY PLAN'][0].Plan).flatMap((node) => (isFault(node) ? [`${describe(node)}: ${sql}`] : []))
}

function literalOf(type: string): string {
  if (type.endsWith('[]')) return `'{}'`
  return type === 'text' ? `'new'` : '1000'
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}

function isFault(node: PlanNode): boolean {
  const { 'Node Type': type, 'Relation Name': table = '', 'Index Name': index = '', 'Index Cond': by = '' } = node
  if (type === 'Bitmap Index Scan') return /^(todos|lists)/.test(index)
  if (!/Scan$/.test(type) || !/^(todos|lists)$/.test(table)) return false
  return !/^Index/.test(type) || !/\bscope = /.test(by) || !/\((id|"?position"?) [=><]/.test(by)
}

function describe({ 'Node Type': type, 'Index Name': index, 'Index Cond': by }: PlanNode): string {
  return `${type} by ${index} where ${by}`
}
