import { boolean, integer, real, text } from '../../src/model/column.ts'
import { defineSchema } from '../../src/model/table.ts'

/** The tables of the tests: those of the sample as long as a project has it. */
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
})
