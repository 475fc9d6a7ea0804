import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { planMigration, type Snapshot, snapshotOf } from '../migrate/plan.ts'
import { migrationFiles, migrationsFolder } from '../migrate/read.ts'
import { schema } from '../schema.ts'
import { runCommand } from './run.ts'

/**
 * `npm run generate -- --name add-notes` writes the next pair of migrations from src/schema.ts; with `-- --accept` it
 * only records the schema, once a migration was written by hand.
 */
await runCommand(async () => {
  const { values } = parseArgs({ options: { name: { type: 'string' }, accept: { type: 'boolean', default: false } } })
  const snapshotFile = new URL('schema.json', migrationsFolder)
  const record = () => writeFile(snapshotFile, `${JSON.stringify(snapshotOf(schema), null, 2)}\n`)
  if (values.accept) {
    await record()
    console.log('Recorded src/schema.ts as what the migrations lead to.')
    return
  }
  if (!values.name || !/^[a-z0-9-]{1,60}$/.test(values.name)) {
    throw new TypeError('Name the migration in lower case: npm run generate -- --name add-notes')
  }
  const before = await readFile(snapshotFile, 'utf8').then(
    (text) => JSON.parse(text) as Snapshot,
    () => undefined,
  )
  const { statements, refusals } = planMigration(before, schema)
  const numbers = (await Promise.all([migrationFiles('postgres'), migrationFiles('sqlite')]))
    .flat()
    .map((file) => Number(file.slice(0, 4)))
  const file = `${String(Math.max(0, ...numbers) + 1).padStart(4, '0')}_${values.name}.sql`
  if (refusals.length > 0) {
    throw new TypeError(
      `${refusals.join('\n')}\nWhat is written by hand goes into migrations/postgres/${file} and migrations/sqlite/${file}; then run npm run generate -- --accept.`,
    )
  }
  if (statements.postgres.length === 0) {
    await record()
    console.log('The migrations lead to src/schema.ts already: nothing to write.')
    return
  }
  for (const dialect of ['postgres', 'sqlite'] as const) {
    await writeFile(
      new URL(`${dialect}/${file}`, migrationsFolder),
      `${statements[dialect].map((sql) => `${sql};`).join('\n\n')}\n`,
      { flag: 'wx' },
    )
    console.log(`Wrote migrations/${dialect}/${file}`)
  }
  await record()
})
