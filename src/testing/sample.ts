import { createTables, type DialectName } from '../migrations/ddl.ts'
import type { Migration } from '../migrations/migration.ts'
import { boolean, integer, real, text } from '../model/column.ts'
import { defineSchema } from '../model/define-schema.ts'
import type { Access, Principal } from '../model/principal.ts'
import type { Store } from '../stores/store.ts'
import { type ChangeInput, createSync, type Sync } from '../sync/create-sync.ts'
import { createTestClock } from './clock.ts'

/** The tables that the suite of stores writes to, beside driftline's own. */
export const suiteSchema = defineSchema({
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

/** What makes these tables and driftline's own in an empty database. */
export function suiteMigrations(dialect: DialectName): readonly Migration[] {
  return [{ name: '0001_suite', statements: createTables(suiteSchema, dialect) }]
}

export type Sample = typeof suiteSchema
export type SampleChange = ChangeInput<Sample>

/** 2026-11-21T02:00:00Z in microseconds: the tests' noon. */
export const noon = createTestClock().now() * 1000

export function principal(subject: string, more: Readonly<Record<string, Access>> = {}): Principal {
  return { subject, scopes: new Map<string, Access>([[subject, 'write'], ...Object.entries(more)]) }
}

/** The core over these tables, at noon, with incarnations that count. */
export function sampleSync(store: Store, now: () => number = createTestClock().now): Sync<Sample> {
  let incarnations = 0
  return createSync({ schema: suiteSchema, store, now, incarnation: () => `inc${++incarnations}` })
}

export function put(id: string, at: number, title: string, more: object = {}): SampleChange {
  return { table: 'todos', op: 'put', id, at: noon + at, row: { title, ...more } }
}
export function patch(id: string, at: number, row: object): SampleChange {
  return { table: 'todos', op: 'patch', id, at: noon + at, row }
}
export function del(id: string, at: number): SampleChange {
  return { table: 'todos', op: 'delete', id, at: noon + at }
}
