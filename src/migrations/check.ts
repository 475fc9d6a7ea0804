import type { Store } from '../stores/store.ts'
import type { Schema } from '../sync/table.ts'
export async function check(_store: Store, _schema: Schema): Promise<string[]> {
  return []
}
