/**
 * The tables of the model: those that everybody has, one of each rule, and some with a unique key.
 */
import { boolean, byColumn, counter, defineSchema, integer, real, text } from '../../../src/index.ts'
import type { ReferenceTable } from '../../support/merge-row.ts'
import { mergeDeclarations } from '../../support/merge-schema.ts'
import { mergeTables } from '../../support/merge-tables.ts'

const { products, polls, pages } = mergeDeclarations

export const modelSchema = defineSchema({
  lists: { name: text() },
  todos: {
    title: text(),
    done: boolean({ default: false }),
    priority: integer({ default: 0 }),
    notes: text({ nullable: true }),
    amount: real({ nullable: true }),
  },
  ...{ products, polls, pages },
  people: { email: text({ unique: true }), name: text({ nullable: true }) },
  cards: byColumn({ email: text({ unique: true, nullable: true }), times: counter() }),
  stubs: { email: text({ unique: true, nullable: true }), times: counter() },
})

/** The same for the reference. */
export const modelTables: Readonly<Record<string, ReferenceTable>> = {
  lists: { byColumn: false, columns: { name: { rule: 'plain' } } },
  todos: {
    byColumn: false,
    columns: {
      title: { rule: 'plain' },
      done: { rule: 'plain', preset: false },
      priority: { rule: 'plain', preset: 0 },
      notes: { rule: 'plain', preset: null },
      amount: { rule: 'plain', preset: null },
    },
  },
  products: mergeTables.products,
  polls: mergeTables.polls,
  pages: mergeTables.pages,
  people: { byColumn: false, columns: { email: { rule: 'plain' }, name: { rule: 'plain', preset: null } } },
  cards: { byColumn: true, columns: { email: { rule: 'plain', preset: null }, times: { rule: 'counter' } } },
  stubs: { byColumn: false, columns: { email: { rule: 'plain', preset: null }, times: { rule: 'counter' } } },
}

/** The column that no two living rows of a scope share. */
export const keyOfTable: Readonly<Record<string, string>> = { people: 'email', cards: 'email', stubs: 'email' }

/** Whether what is stored may be other than what a change that applied has said. */
export const hasRules = (table: string): boolean => {
  const { byColumn, columns } = modelTables[table] as ReferenceTable
  return byColumn || Object.values(columns).some(({ rule }) => rule !== 'plain')
}

/** Columns that a database spells as the wire does, for who looks into it. */
export const plainColumns: Readonly<Record<string, readonly string[]>> = {
  lists: ['name'],
  todos: ['title', 'notes'],
  products: ['name', 'price', 'stock', 'sold', 'best', 'made_by'],
  polls: ['title', 'notes', 'votes', 'top', 'first'],
  pages: ['title', 'body'],
  people: ['email', 'name'],
  cards: ['email', 'times'],
  stubs: ['email', 'times'],
}
