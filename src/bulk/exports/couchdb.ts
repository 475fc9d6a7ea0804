import { isObject } from '../../model/untrusted.ts'
import type { Exported } from './shape.ts'

/**
 * What a document begins with, and what `_changes`, `_all_docs` and `_find` and the dumps of
 * PouchDB are around it.
 */
export const couchWrapper = /^\s*\{\s*"(results|rows|docs|total_rows|offset|update_seq|last_seq|bookmark|version)"\s*:/

/**
 * A line of `_changes`, a row of `_all_docs?include_docs=true`, or a document itself. Members with
 * `_` are CouchDB's own.
 */
export function readCouch(element: Record<string, unknown>): Exported {
  const { doc, deleted, changes, value } = element
  const id = element.id ?? element._id
  const isEntry = !('_id' in element) && (Array.isArray(changes) || 'key' in element)
  if ('last_seq' in element || ('seq' in element && !('id' in element))) return { skipped: true }
  if (typeof id === 'string' && id.startsWith('_design/')) return { skipped: true }
  const document = isEntry ? doc : element
  const isGone = deleted === true || (isObject(value) && value.deleted === true) || Object(document)._deleted === true
  if (isGone) return typeof id === 'string' ? { deleted: id } : { fault: 'A document needs "_id".' }
  if (!isObject(document)) return { fault: 'There is no "doc" in it. Fetch it again with include_docs=true.' }
  const row = Object.entries(document).filter(([name]) => !name.startsWith('_'))
  return {
    row: Object.fromEntries([
      ['id', document._id ?? id],
      ...row.filter(([name]) => name !== 'id' || !('_id' in document)),
    ]),
  }
}
