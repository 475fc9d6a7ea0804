import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { adviseOnDeleteRules } from '../../src/migrations/delete-rules.ts'
import { prune } from '../../src/prune/prune.ts'
import { createSync } from '../../src/sync/create-sync.ts'
import { noon, principal, type SampleChange } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { openTestStore, storeNames, type TestStore } from '../support/stores.ts'

const columns = `scope TEXT NOT NULL, id TEXT NOT NULL, updated_at INTEGER NOT NULL, updated_by TEXT NOT NULL, deleted INTEGER NOT NULL, position INTEGER NOT NULL, created_position INTEGER NOT NULL`
const key = (rule: string) => `FOREIGN KEY (scope, list_id) REFERENCES lists (scope, id) ${rule}`
/** A table of the user's own as well, which is not synced. */
const own = (rule: string, ownRule: string) => {
  const files = `CREATE TABLE "My files" (scope TEXT, "the list" TEXT, FOREIGN KEY (scope, "the list") REFERENCES lists (scope, id) ${ownRule});`
  return {
    postgres: `ALTER TABLE todos ADD ${key(rule)};
${files}`,
    sqlite: `DROP TABLE todos;
CREATE TABLE todos (${columns}, title TEXT, done INTEGER, priority INTEGER, notes TEXT, amount REAL, list_id TEXT, PRIMARY KEY (scope, id), ${key(rule)}) STRICT;
CREATE INDEX todos_position ON todos (scope, position);
${files}`,
  }
}

const rules = [
  ['ON DELETE CASCADE', 'delete'],
  ['ON DELETE SET NULL', 'change'],
  ['ON DELETE SET DEFAULT', 'change'],
  ['ON DELETE RESTRICT', undefined],
  ['DEFERRABLE INITIALLY DEFERRED', undefined],
  ['', undefined],
] as const

describe.each(storeNames.flatMap((name) => rules.map(([rule, verb]) => ({ name, rule, verb }))))(
  'a foreign key between synced tables, $rule, on $name',
  ({ name, rule, verb }) => {
    let opened: TestStore
    beforeAll(async () => {
      opened = await openTestStore(name, schema, own(rule, rule))
    })
    afterAll(() => opened.close())

    it('P2 P8 a deleted parent takes no row with it, nor when its tombstone is due, and what nothing refers to goes', async () => {
      const { store } = opened
      const sync = createSync({ schema, store, now: () => noon / 1000 + 3_600_000 })
      const who = principal('alice')
      let at = noon
      const list = (id: string): SampleChange => ({ table: 'lists', op: 'put', id, at: at++, row: { name: id } })
      const todo = (id: string, list_id: string): SampleChange => ({
        ...{ table: 'todos', op: 'put', id, at: at++ },
        row: { title: id, list_id },
      })
      const del = (table: 'lists' | 'todos', id: string): SampleChange => ({ table, op: 'delete', id, at: at++ })
      const push = async (...changes: SampleChange[]) => {
        const { verdicts } = await sync.push(who, { client: 'a', changes })
        expect(verdicts.map(({ verdict }) => verdict)).toEqual(changes.map(() => 'applied'))
      }
      await push(list('l1'), list('l2'), list('l3'), todo('t1', 'l1'), todo('t2', 'l2'))
      const file = { sql: `INSERT INTO "My files" VALUES ('alice', 'l3')`, params: [] }
      await store.batch('', [file])
      const { cursor } = await sync.pull(who)
      await push(del('lists', 'l1'), del('lists', 'l2'), del('lists', 'l3'), del('todos', 't2'))
      const isRule = verb !== undefined
      // Of l2 nothing is left that refers to it; of l3 a row of the user's own, which has its own
      // rule.
      expect(await prune(store, schema, { retentionMs: 0 })).toEqual({ scopes: 1, tombstones: isRule ? 3 : 2 })
      const [left] = await store.batch('alice', [{ sql: 'SELECT id, deleted FROM lists ORDER BY id', params: [] }])
      expect(left?.map(([id]) => id)).toEqual(isRule ? ['l1'] : ['l1', 'l3'])
      const { changes } = await sync.pull(who)
      expect(changes).toMatchObject([{ op: 'put', id: 't1', row: { list_id: 'l1' } }])
      await expect(sync.pull(who, { cursor })).rejects.toMatchObject({ code: 'resync' })
      // A later run finds nothing to do, and the row goes on.
      expect(await prune(store, schema, { retentionMs: 0 })).toEqual({ scopes: 0, tombstones: 0 })
      await push(list('l1'), todo('t3', 'l1'))
    })

    it('a rule that never runs is said when the database is migrated', async () => {
      const said = await adviseOnDeleteRules(opened.store, schema)
      expect(said).toEqual(
        verb === undefined
          ? []
          : [
              `Mind that ${rule} of todos, which refers to lists, never runs: a deleted row stays as a tombstone. Let the app ${verb} the rows of todos in the change set that deletes the one of lists, or a trigger refuse that, and leave the rule out.`,
            ],
      )
    })
  },
)
