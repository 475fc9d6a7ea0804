import type { Schema } from '../model/table.ts'
import { describeApi } from './document.ts'
import type { ReadDocument } from './document-names.ts'
import { describeAsPage } from './page.ts'

/**
 * The option `documents` of `createApp` for these tables: made when they are first asked for. A
 * worker reads them out of public/ instead, where `npx driftline openapi` has written the same
 * bytes, and is spared the generator.
 */
export function documentsOf(schema: Schema): ReadDocument {
  let made: Awaited<ReturnType<typeof make>> | undefined
  const make = () => {
    const document = describeApi(schema)
    return { 'openapi.json': `${JSON.stringify(document, null, 2)}\n`, 'docs.html': describeAsPage(document) }
  }
  return async (name) => {
    made ??= make()
    return made[name]
  }
}
