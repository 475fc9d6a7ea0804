import { type Store, StoreFault } from '../stores/store.ts'

export interface Migration {
  /** `0001_init`: number and name, the same in both dialects. */
  readonly name: string
  readonly statements: readonly string[]
}

/**
 * Applies what is not yet applied, in order, and gives the names. Each migration is one batch that begins by recording
 * its name: of two processes that start together the second waits for that key, fails on it, and finds it recorded. So
 * each is applied once and whole, without a lock of any database's own, over HTTP as well.
 *
 * @throws Error that names the migration; nothing of it was applied
 */
export async function migrate(store: Store, migrations: readonly Migration[]): Promise<string[]> {
  let recorded = await readRecorded(store)
  const applied: string[] = []
  for (const { name, statements } of migrations) {
    if (recorded.has(name)) continue
    const record = `INSERT INTO driftline_migrations (name, applied_at) VALUES ('${name}', ${Date.now()})`
    try {
      await store.batch(
        '',
        [record, ...statements].map((sql) => ({ sql, params: [] })),
      )
      applied.push(name)
    } catch (fault) {
      recorded = await readRecorded(store)
      if (!recorded.has(name)) throw failure(name, fault)
    }
  }
  return applied
}

async function readRecorded(store: Store): Promise<ReadonlySet<unknown>> {
  const read = async () => {
    const [rows] = await store.batch('', [{ sql: 'SELECT name FROM driftline_migrations', params: [] }])
    return new Set(rows?.map(([name]) => name))
  }
  try {
    return await read()
  } catch (fault) {
    if (!(fault instanceof StoreFault) || fault.kind !== 'broken') throw fault
  }
  const create = 'CREATE TABLE IF NOT EXISTS driftline_migrations (name text PRIMARY KEY, applied_at bigint NOT NULL)'
  // Postgres lets two such statements collide; whoever loses finds the table made.
  await store.batch('', [{ sql: create, params: [] }]).catch(() => {})
  return read()
}

function failure(name: string, fault: unknown): Error {
  const why = fault instanceof Error ? fault.message : String(fault)
  return new Error(`The migration ${name} failed, and nothing of it was applied: ${why}`, { cause: fault })
}
