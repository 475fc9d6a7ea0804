import { boolean, byColumn, counter, defineSchema, integer, real, text, timestamp } from '../index.ts'

/**
 * Your tables: the one file to edit. Each also gets the columns scope, id, updated_at, updated_by,
 * deleted, position and created_position. After a change: `npx driftline generate --name
 * what-changed`, then `npx driftline migrate`.
 */
export const schema = defineSchema({
  lists: {
    name: text(),
  },
  todos: {
    title: text(),
    done: boolean({ default: false }),
    priority: integer({ default: 0 }),
    notes: text({ nullable: true }),
    amount: real({ nullable: true }),
    list_id: text({ nullable: true }),
  },
  /** How values meet where two edit one row: docs/conflicts.md. */
  products: byColumn({
    name: text(),
    code: text({ nullable: true, unique: true }),
    price: integer({ default: 0 }),
    stock: counter(),
    seen_at: timestamp({ merge: 'max', nullable: true }),
    made_by: text({ merge: 'once', nullable: true }),
    created_at: timestamp({ filled: 'created' }),
  }),
})
