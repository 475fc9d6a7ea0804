import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { Schema } from '../model/table.ts'
import { dialectNames } from './ddl.ts'
import { planMigration } from './plan.ts'
import { migrationsDirectory, readNames } from './read.ts'
import { formatSnapshot, parseSnapshot, type Snapshot, takeSnapshot } from './snapshot.ts'
import { touchLine } from './touch.ts'

export interface GenerateOptions {
  /** What the migration is about: `add-notes`. */
  readonly name?: string | undefined
  /** Record the schema and write no SQL: the migration was written by hand. */
  readonly accept?: boolean | undefined
  readonly directory?: URL
}

/**
 * Writes the next pair of migrations from the difference between a schema and migrations/schema.json, and that file
 * anew. Gives what it did, in lines to print. Throws a `TypeError` with a sentence for each thing that it cannot do,
 * and has then written nothing.
 */
export async function generate(
  schema: Schema,
  { name, accept = false, directory = migrationsDirectory() }: GenerateOptions = {},
): Promise<string[]> {
  if (accept && name !== undefined) throw new TypeError('--accept writes no migration and takes no --name')
  if (name !== undefined && !/^[a-z0-9-]+$/.test(name)) {
    throw new TypeError('--name must be of a to z, 0 to 9 and -, for example add-notes')
  }
  const names = await readPairs(directory)
  const before = await readSnapshot(directory)
  const after = takeSnapshot(schema)
  if (accept) {
    await record(after, directory)
    return ['Recorded the schema in migrations/schema.json.']
  }
  if (!before && names.length > 0) {
    throw new TypeError(
      'migrations/schema.json is missing: put it back, or record that the migrations lead to the schema by npx driftline generate --accept',
    )
  }
  if (before && formatSnapshot(before) === formatSnapshot(after)) {
    return ['The migrations lead to the schema already: nothing to do.']
  }

  const number = String(Number(names.at(-1)?.slice(0, 4) ?? 0) + 1).padStart(4, '0')
  const { statements, touched, refusals } = planMigration(before ?? {}, schema, number)
  if (refusals.length > 0) throw new TypeError(refusals.join('\n'))
  if (statements.sqlite.length === 0) {
    await record(after, directory)
    return ['Recorded a change that only the server needs to know: there is no SQL to write.']
  }
  if (name === undefined) throw new TypeError('Say what changes: npx driftline generate --name add-notes')
  const lines: string[] = []
  for (const dialect of dialectNames) {
    const file = `${dialect}/${number}_${name}.sql`
    await mkdir(new URL(`${dialect}/`, directory), { recursive: true })
    const parts = [...statements[dialect].map((sql) => `${sql};`), ...touched.map(touchLine)]
    await writeFile(new URL(file, directory), `${parts.join('\n\n')}\n`, { flag: 'wx' })
    lines.push(`Wrote migrations/${file}`)
  }
  await record(after, directory)
  return [...lines, 'Read them, commit them with migrations/schema.json, and run npx driftline migrate.']
}

/** The names of the migrations, the same in both folders. */
async function readPairs(directory: URL): Promise<string[]> {
  const [postgres = [], sqlite = []] = await Promise.all(dialectNames.map((dialect) => readNames(dialect, directory)))
  for (const name of new Set([...postgres, ...sqlite])) {
    const [has, lacks] = postgres.includes(name) ? ['postgres', 'sqlite'] : ['sqlite', 'postgres']
    if (postgres.includes(name) && sqlite.includes(name)) continue
    throw new TypeError(`migrations/${has}/${name}.sql has no partner: write migrations/${lacks}/${name}.sql`)
  }
  return postgres
}

async function readSnapshot(directory: URL): Promise<Snapshot | undefined> {
  const text = await readFile(new URL('schema.json', directory), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : parseSnapshot(text)
}

function record(snapshot: Snapshot, directory: URL): Promise<void> {
  return writeFile(new URL('schema.json', directory), formatSnapshot(snapshot))
}
