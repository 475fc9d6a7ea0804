import type { Schema } from '../model/table.ts'
import type { Store } from '../stores/store.ts'
import { adviseOnDeleteRules } from './delete-rules.ts'
import { adviseOnRewrites } from './rewrites.ts'

/** What a database has that fits, and may do other than its owner expects, in sentences. */
export async function advise(store: Store, schema: Schema): Promise<string[]> {
  const [rules, rewrites] = [await adviseOnDeleteRules(store, schema), await adviseOnRewrites(store, schema)]
  return [...rules, ...rewrites]
}
