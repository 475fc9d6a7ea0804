import type { Change } from '../../model/change.ts'
import { keyTaken } from '../../model/stamp.ts'
import { encodeParts } from '../../sql/parts.ts'
import type { Call } from '../call.ts'
import { coalesce } from './coalesce.ts'
import { readTaken, takenKey } from './found.ts'
import { takenVerdict } from './merging.ts'
import type { Planned } from './planned.ts'
import { keyValues } from './row-values.ts'
import type { Verdicts } from './verdicts.ts'

/**
 * Who holds the keys of changes that were refused because a key is taken, where only the index of
 * the key has told of it: two rows of a change set wanted one key. One round trip.
 */
export async function tellHolders(
  { sql, batch }: Call,
  client: string,
  scope: string,
  changes: readonly Change[],
  verdicts: Verdicts,
): Promise<Verdicts> {
  const lacking = changes.filter(({ index }) => {
    const verdict = verdicts.get(index)
    return verdict?.verdict === 'rejected' && verdict.error === keyTaken && verdict.current === undefined
  })
  if (lacking.length === 0) return verdicts
  const { dialect, tables, paramBytesMax } = sql
  const rows = lacking.flatMap((change) => coalesce([[change]]).flat())
  const plan = tables.flatMap((table): Planned[] => {
    const values = rows.filter((row) => row.table === table.table).flatMap((row) => keyValues(table, row))
    if (!table.keys || values.length === 0) return []
    const { look, fields } = table.keys
    return encodeParts(values, (part) => dialect.encodeRows(fields, part), paramBytesMax).map((part) => ({
      ...{ sql: look, params: [scope, client, dialect.encodeIds([]), ...part], reads: true },
      role: { kind: 'taken', table: table.table, pass: 0 },
    }))
  })
  const taken = readTaken(dialect, plan, await batch(scope, plan))
  const told = lacking.flatMap(({ index, table, id }) => {
    const holder = taken.get(takenKey(0, table, id))
    return holder ? [[index, takenVerdict(dialect, scope, table, holder)] as const] : []
  })
  return new Map([...verdicts, ...told])
}
