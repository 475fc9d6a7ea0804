import type { Store } from '../stores/store.ts'
export interface Migration {
  readonly name: string
  readonly statements: readonly string[]
}
export async function migrate(store: Store, migrations: readonly Migration[]): Promise<string[]> {
  await store.batch('', [
    { sql: 'CREATE TABLE IF NOT EXISTS driftline_migrations (name text primary key)', params: [] },
  ])
  const done: string[] = []
  for (const { name, statements } of migrations) {
    const [rows] = await store.batch('', [
      { sql: `SELECT name FROM driftline_migrations WHERE name = '${name}'`, params: [] },
    ])
    if (rows?.length) continue
    await store.batch('', [
      { sql: `INSERT INTO driftline_migrations VALUES ('${name}')`, params: [] },
      ...statements.map((sql) => ({ sql, params: [] })),
    ])
    done.push(name)
  }
  return done
}
