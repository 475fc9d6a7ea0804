import { describe, expect, expectTypeOf, it } from 'vitest'
import { boolean, bytes, integer, json, real, text, timestamp, uuid } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import type { PatchRow, PutRow, Row } from '../../../src/model/table.ts'
import type { JsonValue } from '../../../src/model/value.ts'
import type { ChangeInput } from '../../../src/sync/create-sync.ts'
import type { schema } from '../../support/schema.ts'

type Sample = typeof schema

describe('the types of a schema', () => {
  it('infers rows, puts and patches', () => {
    expectTypeOf<Row<Sample, 'todos'>>().toEqualTypeOf<{
      title: string
      done: boolean
      priority: number
      notes: string | null
      amount: number | null
      list_id: string | null
    }>()
    expectTypeOf<PutRow<Sample, 'lists'>>().toMatchTypeOf<{ name: string }>()
    expectTypeOf<{ title: string }>().toMatchTypeOf<PutRow<Sample, 'todos'>>()
    expectTypeOf<{ title: string; notes: null; amount: 5 }>().toMatchTypeOf<PutRow<Sample, 'todos'>>()
    expectTypeOf<{ done: true }>().toMatchTypeOf<PatchRow<Sample, 'todos'>>()
  })

  it('infers every column type, and one of a list', () => {
    const all = defineSchema({
      all: {
        a: text(),
        b: integer(),
        c: real(),
        d: boolean(),
        e: json(),
        f: timestamp(),
        g: uuid(),
        h: bytes(),
        i: text({ oneOf: ['x', 'y'] }),
        j: text({ oneOf: ['x', 'y'], nullable: true }),
      },
    })
    expectTypeOf<Row<typeof all, 'all'>>().toEqualTypeOf<{
      a: string
      b: number
      c: number
      d: boolean
      e: JsonValue
      f: string
      g: string
      h: string
      i: 'x' | 'y'
      j: 'x' | 'y' | null
    }>()
  })

  it('refuses wrong use', () => {
    // @ts-expect-error a required column is missing
    expectTypeOf<object>().toMatchTypeOf<PutRow<Sample, 'todos'>>()
    // @ts-expect-error a number is no text
    const wrong: PutRow<Sample, 'lists'> = { name: 5 }
    // @ts-expect-error no such table
    type _Nothing = Row<Sample, 'todo'>
    // @ts-expect-error no such column
    const patch: PatchRow<Sample, 'todos'> = { titel: 'x' }
    // @ts-expect-error a delete has no row
    const change: ChangeInput<Sample> = { table: 'lists', op: 'delete', id: '1', at: 1, row: { name: 'x' } }
    expect([wrong, patch, change]).toHaveLength(3)
  })

  it('refuses wrong declarations when they are made', () => {
    // @ts-expect-error no such option
    expect(() => integer({ maxLength: 5 })).toThrow(/no option maxLength/)
    // @ts-expect-error the default is of another type
    expect(() => boolean({ default: 'yes' })).toThrow(/default must be true or false/)
    expect(() => text({ nullable: true, default: 'x' })).toThrow(/not both/)
    expect(() => text({ maxLength: 2, default: 'xyz' })).toThrow(/at most 2/)
    expect(defineSchema({}).tables).toEqual([])
    expect(() => defineSchema({ a: {} })).toThrow(/1 to 200 columns/)
    expect(() => defineSchema({ Todos: { a: text() } })).toThrow(/table name/)
    expect(() => defineSchema({ driftline_x: { a: text() } })).toThrow(/driftline_/)
    for (const name of ['sqlite', 'json_each', 'json_tree', 'pragma_table_info'])
      expect(() => defineSchema({ [name]: { a: text() } })).toThrow(/SQLite keeps/)
    for (const suffix of ['_position', '_position_living', '_pkey'])
      expect(() => defineSchema({ [`a${suffix}`]: { a: text() }, a: { a: text() } })).toThrow(
        /name of an index of the table a/,
      )
    expect(() => defineSchema({ [`${'l'.repeat(58)}_pkey`]: { a: text() }, ['l'.repeat(63)]: { a: text() } })).toThrow(
      /index/,
    )
    expect(() => defineSchema({ a_position: { a: text() }, a_pkey: { a: text() } })).not.toThrow()
    expect(() => defineSchema({ todos: { 'a b': text() } })).toThrow(/todos.a b/)
    expect(() => defineSchema({ todos: { position: integer() } })).toThrow(/uses itself/)
    expect(() => defineSchema({ todos: { xmin: integer() } })).toThrow(/Postgres keeps/)
    const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`n${n}`, text()]))
    expect(() => defineSchema({ todos: many(200) })).not.toThrow()
    expect(() => defineSchema({ todos: many(201) })).toThrow(/200 columns/)
    const tables = (count: number) => Object.fromEntries(Object.keys(many(count)).map((name) => [name, many(1)]))
    expect(() => defineSchema(tables(100))).not.toThrow()
    expect(() => defineSchema(tables(101))).toThrow(/100 tables/)
  })
})

describe('renamedFrom', () => {
  it('is known of columns of every type and of tables, and not part of the row', () => {
    const { tables, renamedFrom } = defineSchema(
      {
        tasks: {
          details: text({ nullable: true, renamedFrom: 'notes' }),
          n: integer({ default: 1, renamedFrom: 'm' }),
        },
      },
      { renamedFrom: { tasks: 'todos' } },
    )
    expect([...renamedFrom]).toEqual([['tasks', 'todos']])
    expect([...(tables[0]?.renamedFrom ?? [])]).toEqual([
      ['details', 'notes'],
      ['n', 'm'],
    ])
    const old = { renamedFrom: 'old' } as const
    const all = [text(old), integer(old), boolean(old), json(old), timestamp(old), uuid(old), bytes(old)]
    expect(all.map(({ renamedFrom: from }: { renamedFrom?: string }) => from)).toEqual(all.map(() => 'old'))
  })

  it('is refused where the old name is still there, where two have it, and where it is no name', () => {
    const a = text({ renamedFrom: 'old' })
    expect(() => defineSchema({ t: { a, old: text() } })).toThrow(
      "The column t.a has renamedFrom 'old', and t.old is in the schema too: take one of them away. Once the migration is written, renamedFrom may go",
    )
    expect(() => defineSchema({ t: { old: a } })).toThrow(
      /t\.old has renamedFrom 'old', and t\.old is in the schema too/,
    )
    expect(() => defineSchema({ t: { a, b: a } })).toThrow(
      "The column t.b has renamedFrom 'old', and so has t.a: only one can be the old column",
    )
    for (const name of ['', 'Old', 'a b', '1', 'x'.repeat(64)])
      expect(() => text({ renamedFrom: name })).toThrow(
        /renamedFrom must be the name that the column had, such as 'notes'/,
      )
    const one = { a: text() }
    expect(() => defineSchema({ t: one, u: one }, { renamedFrom: { t: 'u' } })).toThrow(/u is in the schema too/)
    expect(() => defineSchema({ t: one, u: one }, { renamedFrom: { t: 'v', u: 'v' } })).toThrow(/so has t: only one/)
    expect(() => defineSchema({ t: one }, { renamedFrom: { u: 't' } })).toThrow(
      'renamedFrom names u, which is no table of the schema',
    )
    expect(() => defineSchema({ t: one }, { renamedFrom: { t: '"x' } })).toThrow(
      "renamedFrom of t must be the name that the table had, such as 'todos'",
    )
  })
})
