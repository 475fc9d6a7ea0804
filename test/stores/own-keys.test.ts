import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { principal, put, sampleSync } from '../support/sample.ts'
import { schema } from '../support/schema.ts'
import { inThisRun, openTestStore, type TestStore } from '../support/stores.ts'

/** Tables that are none of driftline's, filled by a trigger. */
const own = `CREATE TABLE words (word TEXT PRIMARY KEY) STRICT;
CREATE TABLE audit (word TEXT REFERENCES words (word) DEFERRABLE INITIALLY DEFERRED) STRICT;
INSERT INTO words VALUES ('known');
CREATE TRIGGER audited AFTER INSERT ON todos BEGIN INSERT INTO audit VALUES (new.title); END;`

describe.each(inThisRun(['libsql file', 'libsql http', 'durable-object', 'd1']))(
  'a deferred key between tables of the app’s own, on %s',
  (name) => {
    let opened: TestStore
    beforeAll(async () => {
      opened = await openTestStore(name, schema, { postgres: '', sqlite: own })
    })
    afterAll(() => opened.close())

    it('P12 lets a change pass that meets it, and rejects one alone that does not', async () => {
      const sync = sampleSync(opened.store)
      const push = async (id: string, title: string) =>
        (await sync.push(principal('alice'), { client: 'a', changes: [put(id, 0, title)] })).verdicts
      expect(await push('1', 'known')).toMatchObject([{ verdict: 'applied' }])
      expect(await push('2', 'unknown')).toMatchObject([{ verdict: 'rejected', error: { code: 'constraint' } }])
      expect((await sync.pull(principal('alice'))).changes).toMatchObject([{ id: '1' }])
    })
  },
)
