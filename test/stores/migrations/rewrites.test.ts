import { afterEach, describe, expect, it } from 'vitest'
import { check } from '../../../src/migrations/check.ts'
import { createTables } from '../../../src/migrations/ddl.ts'
import { adviseOnRewrites, mayRewrite } from '../../../src/migrations/rewrites.ts'
import { integer, text } from '../../../src/model/column.ts'
import { defineSchema } from '../../../src/model/define-schema.ts'
import { type EmptyDatabase, openEmpty } from './databases.ts'

const tables = { orders: { total: integer({ default: 0 }), code: text({ default: '' }) }, lists: { name: text() } }
const schema = defineSchema(tables)
const declared = defineSchema(tables, { rewrites: ['orders'] })
const mind = (what: string) =>
  `Mind that ${what} of orders may change what is sent, which its writers are not always told: declare rewrites: ['orders'] in the options of defineSchema, and they get what is stored.`

let database: EmptyDatabase
afterEach(() => database.close())

async function made(name: 'libsql file' | 'postgres', ...own: string[]): Promise<void> {
  database = await openEmpty(name)
  for (const sql of [...createTables(schema, database.store.dialect.name), ...own]) await database.run(sql)
}
const advice = (of = schema) => adviseOnRewrites(database.store, of)

/** A function of Postgres, and a trigger of it. */
const trigger = (name: string, when: string, body: string, table = 'orders') => [
  `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} END $$`,
  `CREATE TRIGGER ${name} ${when} ON ${table} FOR EACH ROW EXECUTE FUNCTION ${name}()`,
]

describe('triggers that may change what is sent', () => {
  it('are named on Postgres where the schema does not declare them, and are no fault', async () => {
    await made(
      'postgres',
      ...trigger('doubles', 'BEFORE INSERT OR UPDATE', 'NEW.total := NEW.total * 2; RETURN NEW;'),
      ...trigger('refuses', 'BEFORE INSERT', "IF NEW.code = 'x' THEN RAISE 'no := here'; END IF; RETURN NEW;"),
      ...trigger('audits', 'AFTER UPDATE', 'UPDATE lists SET name = name; RETURN NULL;'),
      ...trigger('other', 'AFTER INSERT', 'UPDATE lists_of SET name = name; RETURN NULL;', 'lists'),
      ...trigger('deletes', 'BEFORE DELETE', 'OLD.total := 1; RETURN OLD;'),
      ...trigger(
        'again',
        'AFTER INSERT',
        'UPDATE public.orders SET code = upper(code) WHERE id = NEW.id; RETURN NULL;',
      ),
      ...trigger('off', 'BEFORE INSERT', 'NEW.total = 1; RETURN NEW;'),
      'ALTER TABLE orders DISABLE TRIGGER off',
      // Postgres keeps these by triggers of its own.
      'ALTER TABLE orders ADD UNIQUE (code) DEFERRABLE INITIALLY DEFERRED',
      'ALTER TABLE lists ADD UNIQUE (name)',
      'ALTER TABLE orders ADD FOREIGN KEY (code) REFERENCES lists (name) DEFERRABLE INITIALLY DEFERRED',
    )
    expect(await advice()).toEqual([mind('the triggers again, doubles')])
    expect(await advice(declared)).toEqual([])
    expect(await check(database.store, schema)).toEqual([])
  })

  it('are named on SQLite where they write the table again, and not where they refuse', async () => {
    await made(
      'libsql file',
      'CREATE TRIGGER doubles AFTER INSERT ON orders BEGIN UPDATE orders SET total = total * 2 WHERE id = NEW.id; END',
      `CREATE TRIGGER again AFTER UPDATE ON orders BEGIN INSERT OR REPLACE INTO "orders" SELECT * FROM orders WHERE 1 = 0; END`,
      "CREATE TRIGGER refuses BEFORE INSERT ON orders WHEN NEW.total < 0 BEGIN SELECT RAISE(ABORT, 'update orders'); END",
      'CREATE TRIGGER audits AFTER INSERT ON orders BEGIN UPDATE lists SET name = name; END',
      'CREATE TRIGGER other AFTER INSERT ON lists BEGIN UPDATE lists_of SET name = name; END',
    )
    expect(await advice()).toEqual([mind('the triggers again, doubles')])
    expect(await advice(declared)).toEqual([])
    expect(await check(database.store, schema)).toEqual([])
    expect(await adviseOnRewrites(database.store, defineSchema({}))).toEqual([])
  })
})

it.each([
  ['BEGIN RETURN NEW; END', false],
  ["BEGIN IF NEW.a = 'x' THEN RAISE EXCEPTION 'x := y'; END IF; RETURN NEW; END", false],
  ['BEGIN IF NEW.a = 1 THEN RETURN NULL; END IF; RETURN NEW; END', false],
  ['BEGIN new.a = 1; RETURN new; END', true],
  ['BEGIN IF true THEN NEW.a := 1; END IF; RETURN NEW; END', true],
  ['BEGIN SELECT 1 INTO NEW.a; RETURN NEW; END', true],
  ['BEGIN RETURN OLD; END', true],
  ['BEGIN RETURN json_populate_record(NEW, a); END', true],
  ['BEGIN EXECUTE x; RETURN NEW; END', true],
])('of a trigger before a row, %s is judged %s', (code, may) => {
  database = { close: async () => {} } as EmptyDatabase
  expect(mayRewrite('orders', 'changes', 'plpgsql', code)).toBe(may)
})
