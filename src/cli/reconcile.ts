import { adoptTable } from '../migrations/adopted/adopt-table.ts'
import { reconcileTable } from '../migrations/adopted/reconcile.ts'
import { isAdopted } from '../model/table.ts'
import { createSweep } from '../sync/adopted/sweep.ts'
import type { LoadApp } from './app.ts'
import { readArgs } from './command.ts'
import { databaseOptions, eachDatabase, readDatabases } from './databases.ts'

/**
 * `npx driftline reconcile`: makes the triggers of the tables that are adopted anew, and finds the
 * rows that no trigger has seen, all of them where a table was just adopted. Phones hear of them.
 */
export async function run(loadApp: LoadApp): Promise<void> {
  const help = {
    name: 'npx driftline reconcile',
    does: 'Finds the rows of adopted tables that no trigger has seen, and makes the triggers anew.',
    more: 'It looks at every row once, in steps, and locks none. To run it again after it was stopped goes on.',
  }
  const args = readArgs(help, {
    table: { type: 'string', help: 'this table alone' },
    all: { type: 'boolean', help: 'phones get every row again, whether it was seen or not' },
    ...databaseOptions,
  })
  const { schema } = await loadApp()
  const adopted = schema.tables.filter(isAdopted)
  const tables = args.table === undefined ? adopted : adopted.filter(({ name }) => name === args.table)
  if (tables.length === 0)
    throw new TypeError(
      args.table === undefined ? 'The schema adopts no table.' : `The schema adopts no table ${args.table}.`,
    )
  const { list, jobs } = await readDatabases(args, schema)
  await eachDatabase(list, jobs, async (store) => {
    const lines: string[] = []
    const settle = createSweep({ schema, store, record: () => [] }) ?? (async () => {})
    for (const table of tables) {
      const statements = adoptTable(table, store.dialect.name).map((sql) => ({ sql, params: [] }))
      await store.batch('', statements)
      const { found, gone } = await reconcileTable(store, table, { all: args.all ?? false, settle })
      lines.push(`${table.name}: ${found} rows were found, and ${gone} were gone.`)
    }
    return { lines, failed: false }
  })
}
