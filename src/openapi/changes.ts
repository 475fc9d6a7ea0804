import type { Schema, Table } from '../sync/table.ts'
import { closed, type Json, oneOf, ref } from './schema.ts'
import { columnSchema, exampleOf } from './values.ts'

const [id, scope, by, at, position] = ['id', 'scope', 'client', 'at', 'position'].map(ref)

/** The schemas of each table's rows and changes, both ways, and of any table's: `change` and `stored`. */
export function changeSchemas({ tables }: Schema): Json {
  const byTable = (suffix: string) => Object.fromEntries(tables.map(({ name }) => [name, `${name}.${suffix}`]))
  return {
    change: oneOf('table', byTable('change'), { description: 'One edit of one row.' }),
    stored: oneOf('table', byTable('stored'), {
      description: 'A row as it is stored, in the form that it would be pushed in.',
    }),
    ...Object.assign({}, ...tables.map(tableSchemas)),
  }
}

function tableSchemas({ name, columns }: Table): Json {
  const all = Object.fromEntries(columns.map((column) => [column.name, columnSchema(column)]))
  const withoutDefaults = Object.fromEntries(
    columns.map((column) => [column.name, columnSchema({ ...column, default: undefined })]),
  )
  const needed = columns.filter(({ nullable, default: value }) => !nullable && value === undefined)
  const table = { type: 'string', const: name }
  const op = (value: string) => ({ type: 'string', const: value })
  const pushed = (value: string, row: Json) =>
    closed({ table, op: op(value), id, at, scope, ...row }, ['table', 'op', 'id', 'at', ...Object.keys(row)])
  const stored = (value: string, row: Json) => closed({ scope, table, op: op(value), id, at, by, position, ...row })
  return {
    [`${name}.row`]: closed(withoutDefaults),
    [`${name}.change`]: oneOf('op', { put: `${name}.put`, patch: `${name}.patch`, delete: `${name}.delete` }),
    [`${name}.put`]: {
      ...pushed('put', {
        row: closed(
          all,
          needed.map((column) => column.name),
        ),
      }),
      description: 'Writes the whole row: a column that is left out takes its default, or null.',
    },
    [`${name}.patch`]: {
      ...pushed('patch', { row: closed(withoutDefaults, [], { minProperties: 1 }) }),
      description: 'Writes some columns of a row that is there.',
    },
    [`${name}.delete`]: pushed('delete', {}),
    [`${name}.stored`]: oneOf('op', { put: `${name}.stored.put`, delete: `${name}.stored.delete` }),
    [`${name}.stored.put`]: stored('put', { row: ref(`${name}.row`) }),
    [`${name}.stored.delete`]: { ...stored('delete', {}), description: 'A tombstone.' },
  }
}

/** A put into a table with a value for each column, as the example of a request. */
export function exampleChange({ name, columns }: Table): Json {
  const row = Object.fromEntries(columns.map((column) => [column.name, exampleOf(column)]))
  return { table: name, op: 'put', id: '01935f0c', at: 1_795_226_400_000_000, row }
}
