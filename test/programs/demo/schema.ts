import { boolean, integer, real, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'

/** The table of the demo, which needs none of the app's. */
export const demoSchema = defineSchema({
  todos: {
    title: text(),
    done: boolean({ default: false }),
    priority: integer({ default: 0 }),
    notes: text({ nullable: true }),
    amount: real({ nullable: true }),
  },
})
