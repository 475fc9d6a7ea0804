import { parseArgs } from 'node:util'
import { migrate } from '../migrations/apply.ts'
import { check } from '../migrations/check.ts'
import { readMigrations } from '../migrations/read.ts'
import { openStore, readDatabaseUrl } from '../node-store.ts'
import { schema } from '../schema.ts'
import { runCommand } from './run.ts'

/**
 * `npm run migrate`: applies to the database of DATABASE_URL the migrations that it has not recorded.
 * `npm run migrate -- --check`: changes nothing and names what in the database does not fit src/schema.ts.
 */
await runCommand(async () => {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
  const store = await openStore(readDatabaseUrl(process.env), process.env.DATABASE_AUTH_TOKEN)
  try {
    if (values.check) {
      const findings = await check(store, schema)
      for (const finding of findings) console.log(finding)
      if (findings.length > 0) process.exitCode = 1
      else console.log('The database fits src/schema.ts.')
      return
    }
    const applied = await migrate(store, await readMigrations(store.dialect.name))
    for (const name of applied) console.log(`Applied ${name}`)
    if (applied.length === 0) console.log('The database is up to date.')
  } finally {
    await store.close()
  }
})
