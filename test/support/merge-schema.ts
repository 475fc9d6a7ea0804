import { boolean, byColumn, counter, defineSchema, integer, real, text, timestamp } from '../../src/index.ts'

/** What the product is told; merge-tables.ts tells the reference the same. */
export const mergeDeclarations = {
  products: byColumn({
    name: text(),
    price: integer({ nullable: true }),
    stock: counter(),
    sold: counter(),
    best: integer({ merge: 'max', default: 0 }),
    least: real({ merge: 'min', nullable: true }),
    made_by: text({ merge: 'once', nullable: true }),
    created_at: timestamp({ filled: 'created' }),
    written_at: timestamp({ filled: 'written' }),
  }),
  polls: {
    title: text(),
    notes: text({ nullable: true }),
    votes: counter(),
    top: integer({ merge: 'max', default: 0 }),
    seen_at: timestamp({ merge: 'max', nullable: true }),
    first: text({ merge: 'once', nullable: true }),
    written_at: timestamp({ filled: 'written' }),
  },
  pages: byColumn({
    title: text(),
    body: text({ nullable: true }),
    done: boolean({ default: false }),
  }),
  notes: {
    title: text(),
    body: text({ nullable: true }),
  },
}

export const mergeSchema = defineSchema(mergeDeclarations)
