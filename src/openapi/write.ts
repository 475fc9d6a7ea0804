import { mkdir, readFile, writeFile } from 'node:fs/promises'
import type { Schema } from '../model/table.ts'
import { documentNames } from './document-names.ts'
import { documentsOf } from './documents.ts'

/** public/: what a worker answers to GET /openapi.json and GET /docs. */
export async function writeDocuments(schema: Schema, directory: URL): Promise<void> {
  const read = documentsOf(schema)
  await mkdir(directory, { recursive: true })
  for (const name of documentNames) {
    const file = new URL(name, directory)
    const text = await read(name)
    // Left alone where it is as it should be: a build may be reading it.
    if ((await readFile(file, 'utf8').catch(() => '')) !== text) await writeFile(file, text)
  }
}
