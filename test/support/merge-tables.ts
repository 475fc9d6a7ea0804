import type { ReferenceTable } from './merge-row.ts'

/**
 * The tables of merge-schema.ts as the reference knows them: every rule by column, merging columns
 * in a row with one stamp, columns with stamps that all are plain, and a table without any rule.
 */
export const mergeTables = {
  products: {
    byColumn: true,
    columns: {
      name: { rule: 'plain' },
      price: { rule: 'plain', preset: null },
      stock: { rule: 'counter' },
      sold: { rule: 'counter' },
      best: { rule: 'max', preset: 0 },
      least: { rule: 'min', preset: null },
      made_by: { rule: 'once', preset: null },
      created_at: { rule: 'created' },
      written_at: { rule: 'written' },
    },
  },
  polls: {
    byColumn: false,
    columns: {
      title: { rule: 'plain' },
      notes: { rule: 'plain', preset: null },
      votes: { rule: 'counter' },
      top: { rule: 'max', preset: 0 },
      seen_at: { rule: 'max', preset: null },
      first: { rule: 'once', preset: null },
      written_at: { rule: 'written' },
    },
  },
  pages: {
    byColumn: true,
    columns: {
      title: { rule: 'plain' },
      body: { rule: 'plain', preset: null },
      done: { rule: 'plain', preset: false },
    },
  },
  notes: {
    byColumn: false,
    columns: { title: { rule: 'plain' }, body: { rule: 'plain', preset: null } },
  },
} as const satisfies Record<string, ReferenceTable>

export type MergeTableName = keyof typeof mergeTables
export const mergeTableNames = Object.keys(mergeTables) as readonly MergeTableName[]
