import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Schema } from '../model/table.ts'
import { documentsOf } from './documents.ts'
import { pagesFolder } from './pages.ts'

/**
 * Writes public/: what a worker answers to GET /openapi.json, and the pages of GET /docs and GET
 * /reference, where they are built.
 */
export async function writeDocuments(schema: Schema, directory: URL): Promise<void> {
  await put(new URL('openapi.json', directory), Buffer.from(String(await documentsOf(schema)('openapi.json'))))
  const pages = (await list(pagesFolder)).filter((name) => /^(docs|reference)\//.test(name))
  for (const name of pages) await put(new URL(name, directory), await readFile(new URL(name, pagesFolder)))
  if (pages.length === 0) return
  for (const name of await list(directory)) {
    if (ofBuild.test(name) && !pages.includes(name)) await rm(new URL(name, directory), { force: true })
  }
}

/** Scripts and styles, whose names change with what is in them: those of an earlier build go. */
const ofBuild = /^(docs|reference)\/assets\/.*\.[\w-]{8}(\.lean)?\.(js|css)$/

/** Left alone where it is as it should be: a build may be reading it. */
async function put(file: URL, bytes: Uint8Array): Promise<void> {
  const there = await readFile(file).catch(() => undefined)
  if (there?.equals(bytes)) return
  await mkdir(new URL('.', file), { recursive: true })
  await writeFile(file, bytes)
}

/** The files in a folder and below, by their paths in it. None where there is no folder. */
async function list(folder: URL): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const root = fileURLToPath(folder)
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
}
