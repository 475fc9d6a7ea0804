import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { Schema } from '../model/table.ts'
import { dialectNames } from './ddl.ts'
import { draftText } from './draft.ts'
import { writeAttributes } from './lines.ts'
import { planMigration } from './plan.ts'
import { findDrafts, migrationsDirectory, readNames } from './read.ts'
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
 * Writes the next pair of migrations from the difference between a schema and
 * migrations/schema.json, and that file anew. Where a person must judge something, both are drafts,
 * which nothing applies until they are finished. Gives what it did, in lines to print. Throws a
 * `TypeError` with a sentence for each thing that the schema must say otherwise, and has then
 * written nothing.
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
    const drafts = await findDrafts(directory)
    if (drafts.length > 0) return drafts.map((file) => `${file} is a draft: finish it, then delete its first line.`)
    return ['The migrations lead to the schema already: nothing to do.']
  }

  const { statements, touched, renamed, minded, drafts, refusals } = planMigration(before ?? {}, schema)
  if (refusals.length > 0) throw new TypeError(refusals.join('\n'))
  if (statements.sqlite.length === 0 && drafts.length === 0) {
    await record(after, directory)
    const what = before ? 'a change that only the server needs to know' : 'a schema without tables'
    return [`Recorded ${what}: there is no SQL to write.`]
  }
  if (name === undefined) throw new TypeError('Say what changes: npx driftline generate --name add-notes')
  const number = String(Number(names.at(-1)?.slice(0, 4) ?? 0) + 1).padStart(4, '0')
  const lines: string[] = []
  for (const dialect of dialectNames) {
    const file = `${dialect}/${number}_${name}.sql`
    await mkdir(new URL(`${dialect}/`, directory), { recursive: true })
    const parts = [...statements[dialect].map((sql) => `${sql};`), ...touched.map(touchLine)]
    const text = drafts.length > 0 ? draftText(parts, drafts, dialect) : `${parts.join('\n\n')}\n`
    await writeFile(new URL(file, directory), text, { flag: 'wx' })
    lines.push(`Wrote migrations/${file}${drafts.length > 0 ? ', a draft' : ''}`)
  }
  await record(after, directory)
  lines.push(...[...renamed, ...drafts.flatMap(({ whats }) => whats), ...minded].map((what) => `${what}.`))
  const next =
    drafts.length > 0
      ? 'Finish both drafts: judge what is commented out, then delete their first lines. Until then nothing of them is applied. Commit them with migrations/schema.json, and run npx driftline migrate.'
      : 'Read them, commit them with migrations/schema.json, and run npx driftline migrate.'
  return [...lines, next]
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

async function record(snapshot: Snapshot, directory: URL): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeFile(new URL('schema.json', directory), formatSnapshot(snapshot))
  await writeAttributes(directory)
}
