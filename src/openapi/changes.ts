import type { Schema, Table } from '../model/table.ts'
import { closed, type Json, oneOf, ref } from './schema.ts'
import { columnSchema, exampleOf, sentSchema, type Way } from './values.ts'

const [id, scope, by, at, position] = ['id', 'scope', 'client', 'at', 'position'].map(ref)

const create = {
  type: 'boolean',
  default: false,
  description: 'Where no row lives it is the put of its columns, so it must hold all that a new row needs.',
}

/**
 * The schemas of each table's rows and changes, both ways, and of any table's: `change` and
 * `stored`.
 */
export function changeSchemas({ tables }: Schema): Json {
  const byTable = (suffix: string) => Object.fromEntries(tables.map(({ name }) => [name, `${name}.${suffix}`]))
  return {
    change: oneOf('table', byTable('change'), { description: 'One edit of one row.' }),
    'webhook.change': oneOf('table', byTable('webhook'), {
      description: 'Without at the server stamps it, later than what is stored.',
    }),
    stored: oneOf('table', byTable('stored'), {
      description: 'A row as it is stored, in the form that it would be pushed in.',
    }),
    ...Object.assign({}, ...tables.map(tableSchemas)),
  }
}

function tableSchemas({ name, columns, byColumn }: Table): Json {
  const sent = (op: 'put' | 'patch', way: Way) =>
    Object.fromEntries(
      columns.flatMap((column) =>
        column.filled || column.readonly ? [] : [[column.name, sentSchema(column, op, way)]],
      ),
    )
  const whole = columns.map((column) => [column.name, columnSchema({ ...column, default: undefined }, 'stored')])
  const needed = columns.filter(
    ({ nullable, default: value, filled, readonly }) => !nullable && value === undefined && !filled && !readonly,
  )
  const table = { type: 'string', const: name }
  const op = (value: string) => ({ type: 'string', const: value })
  const required = needed.map((column) => column.name)
  /**
   * The three kinds of a change as they come from phones, or from webhooks, whose changes need no
   * stamp.
   */
  const pushed = (prefix: string, always: readonly string[], way: Way): Json => {
    const one = (value: string, { create, ...more }: Json, description?: string) => ({
      ...closed(
        { table, op: op(value), id, at, scope, if: ref('seen'), ...more, ...(create !== undefined && { create }) },
        [...always, ...Object.keys(more)],
      ),
      ...(description && { description }),
    })
    return {
      [`${prefix}.put`]: one(
        'put',
        { row: closed(sent('put', way), required) },
        byColumn
          ? 'Writes every column, but those that were written later: a column that is left out takes its default, or null.'
          : 'Writes the whole row: a column that is left out takes its default, or null.',
      ),
      [`${prefix}.patch`]: one(
        'patch',
        { row: closed(sent('patch', way), [], { minProperties: 1 }), create },
        'Writes some columns of a row that is there.',
      ),
      [`${prefix}.delete`]: one('delete', {}),
    }
  }
  const kinds = (prefix: string) =>
    oneOf('op', { put: `${prefix}.put`, patch: `${prefix}.patch`, delete: `${prefix}.delete` })
  const stored = (value: string, row: Json) => closed({ scope, table, op: op(value), id, at, by, position, ...row })
  return {
    [`${name}.row`]: closed(Object.fromEntries(whole)),
    [`${name}.change`]: kinds(name),
    ...pushed(name, ['table', 'op', 'id', 'at'], 'sent'),
    [`${name}.webhook`]: kinds(`${name}.webhook`),
    ...pushed(`${name}.webhook`, ['table', 'op', 'id'], 'webhook'),
    [`${name}.stored`]: oneOf('op', { put: `${name}.stored.put`, delete: `${name}.stored.delete` }),
    [`${name}.stored.put`]: stored('put', { row: ref(`${name}.row`) }),
    [`${name}.stored.delete`]: { ...stored('delete', {}), description: 'A tombstone.' },
  }
}

/** A put into a table with a value for each column, as the example of a request. */
export function exampleChange({ name, columns }: Table): Json {
  const row = Object.fromEntries(
    columns.flatMap((column) => (column.filled || column.readonly ? [] : [[column.name, exampleOf(column)]])),
  )
  return { table: name, op: 'put', id: '01935f0c', at: 1_795_226_400_000_000, row }
}
