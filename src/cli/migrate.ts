import { parseArgs } from 'node:util'
import { migrate } from '../migrate/apply.ts'
import { check } from '../migrate/check.ts'
import { readMigrations } from '../migrate/read.ts'
import { openStore, readDatabaseUrl } from '../node-store.ts'
import { schema } from '../schema.ts'
import { runCommand } from './run.ts'

/** `npm run migrate` applies what is new to `DATABASE_URL`; with `-- --check` it compares the database with src/schema.ts. */
await runCommand(async () => {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
  const store = await openStore(readDatabaseUrl(process.env), process.env.DATABASE_AUTH_TOKEN)
  try {
    if (values.check) {
      const findings = await check(store, schema)
      if (findings.length > 0) throw new Error(findings.join('\n'))
      console.log('The database fits src/schema.ts.')
      return
    }
    const applied = await migrate(store, await readMigrations(store.dialect.name))
    console.log(applied.length > 0 ? `Migrated: ${applied.join(', ')}` : 'Nothing to migrate.')
  } finally {
    await store.close()
  }
})
