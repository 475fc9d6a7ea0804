import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { ReadDocument } from './read-document.ts'

/**
 * The manual and the reference as pages: in the package beside its folders, in the repository where
 * `npm run docs` builds them.
 */
export const pagesFolder =
  ['../pages/', '../../pages/'].map((path) => new URL(path, import.meta.url)).find((one) => existsSync(one)) ??
  new URL('../../pages/', import.meta.url)

/** Reads a page in Node. Its name has no segment that leads out of the folder. */
export const readPage: ReadDocument = (name) => readFile(new URL(name, pagesFolder)).catch(() => undefined)
