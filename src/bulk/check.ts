import { type DecodeContext, decodeChange } from '../model/change.ts'
import { limits } from '../model/limits.ts'
import type { Schema } from '../model/table.ts'
import { isObject } from '../model/untrusted.ts'
import { authorizeNamed } from '../sync/push/authorize.ts'
import { type ChunkResult, isPageEnd, type LineOptions } from './import.ts'
import type { ImportLine } from './ndjson.ts'

/**
 * What would become of a chunk, as far as that is known without the database: it holds no lock and
 * is not asked, so what only it would refuse (a unique value, a foreign key) is not found.
 * `applied` are those that it would be sent.
 */
export function checkLines(
  lines: readonly ImportLine[],
  { table, grant }: Pick<LineOptions, 'table' | 'grant'>,
  schema: Schema,
  clock: Pick<DecodeContext, 'now' | 'clockDriftMsMax'>,
): ChunkResult {
  const context = { schema, ...clock, pulled: true }
  const rejections: ChunkResult['rejections'][number][] = []
  let [applied, dropped] = [0, 0]
  for (const { line, value, error: fault, changes } of lines) {
    if (!fault && isPageEnd(value)) continue
    // The line was measured; what a mapping makes of one may be larger.
    const measure = changes !== undefined
    for (const one of changes ?? [value]) {
      const change = isObject(one) && table !== undefined && !('table' in one) ? { ...one, table } : one
      const decoded = fault ? { error: fault } : decodeChange(change, line % limits.changesMax, { ...context, measure })
      const error = decoded.error ?? authorizeNamed(decoded.dropped ?? decoded.change, grant).error
      if (error) rejections.push({ line, error })
      else if (decoded.dropped) dropped++
      else applied++
    }
  }
  return { applied, duplicate: dropped, stale: 0, rejections }
}
