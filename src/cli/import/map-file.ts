import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { MapRecord } from '../../bulk/map-rows.ts'
import { sayUnread } from '../app.ts'

/** A mapping of records, and what would be another one. */
export interface MapFile {
  readonly map: MapRecord
  readonly identity: string
}

/**
 * Reads the file of `--map-with`, whose default export is the function. Throws a `TypeError` with a
 * sentence where it cannot be one.
 */
export async function loadMapFile(file: string): Promise<MapFile> {
  const path = resolve(file)
  const text = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new TypeError(`There is no file ${file}, which --map-with names.`)
    if (error.code === 'EISDIR')
      throw new TypeError(`${file} is a folder. Name the file of the mapping: --map-with ./users.ts`)
    throw new TypeError(`${file}, which --map-with names, cannot be read: ${error.message}`)
  })
  const module: { readonly default?: unknown } = await import(pathToFileURL(path).href).catch((error: unknown) => {
    throw sayUnread(file, error, 'the mapping', file.replace(/\.m?ts$/, '.mjs'))
  })
  const { default: map } = module
  if (typeof map === 'function')
    return { map: map as MapRecord, identity: createHash('sha256').update(text).digest('hex').slice(0, 16) }
  const found = 'default' in module ? 'is no function' : 'is missing'
  throw new TypeError(
    `The default export of ${file} ${found}. It makes the row of a record: export default (record) => ({ id: record.id, … }), or null to pass one over.`,
  )
}
