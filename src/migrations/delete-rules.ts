import type { Schema } from '../model/table.ts'
import { readReferences, referencesOf } from '../sql/references.ts'
import type { Store } from '../stores/store.ts'

/**
 * A sentence for each foreign key between synced tables that says what is to become of a row whose
 * parent is deleted. A deleted row stays as a tombstone, and prune keeps that as long as a row
 * refers to it: so no such rule ever runs, and none removes a row that no phone would hear of. One
 * round trip.
 */
export async function adviseOnDeleteRules(store: Store, schema: Schema): Promise<string[]> {
  const [rows = []] = await store.batch('', [readReferences(store.dialect, schema.tables)])
  return referencesOf(rows).flatMap(({ parent, child, isChildSynced, onDelete }) => {
    if (!isChildSynced || onDelete === undefined) return []
    const table = child.replace(/^.*\./, '').replaceAll('"', '')
    const what = onDelete === 'CASCADE' ? 'delete' : 'change'
    return [
      `Mind that ON DELETE ${onDelete} of ${table}, which refers to ${parent}, never runs: a deleted row stays as a tombstone. Let the app ${what} the rows of ${table} in the change set that deletes the one of ${parent}, or a trigger refuse that, and leave the rule out.`,
    ]
  })
}
