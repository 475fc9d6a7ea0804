import type { Schema } from '../model/table.ts'
import { describeApi } from './document.ts'
import type { ReadDocument } from './read-document.ts'

/**
 * The option `documents` of `createApp` for these tables: `openapi.json`, made when it is first
 * asked for, and the pages, where somebody reads them. A worker reads all of them out of public/
 * instead, where `npx driftline bundle` has written the same bytes, and is spared the generator.
 */
export function documentsOf(schema: Schema, readPage: ReadDocument = async () => undefined): ReadDocument {
  let made: string | undefined
  return async (name) => {
    if (name !== 'openapi.json') return readPage(name)
    made ??= `${JSON.stringify(describeApi(schema), null, 2)}\n`
    return made
  }
}
