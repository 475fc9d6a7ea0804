import { checkCursor, formatCursor, type ResyncReason } from '../model/cursor.ts'
import type { Cursor, ScopeHead } from '../model/cursor-entry.ts'
import { Problem } from '../model/errors.ts'

/**
 * Ends the request where the cursor's part for one of these scopes can no longer be answered from
 * (P9, P16).
 */
export function throwResync(
  cursor: Cursor | null | undefined,
  heads: ReadonlyMap<string, ScopeHead | undefined>,
): void {
  const reasons = new Map<string, ResyncReason>()
  for (const [scope, head] of heads) {
    const entry = cursor?.get(scope)
    const reason = entry && checkCursor(entry, head)
    if (reason) reasons.set(scope, reason)
  }
  if (!cursor || reasons.size === 0) return
  const reason: ResyncReason = [...reasons.values()].includes('restored') ? 'restored' : 'pruned'
  const scopes = [...reasons].filter(([, why]) => why === reason).map(([scope]) => scope)
  const dropped = new Set(scopes)
  const rest = formatCursor(new Map([...cursor].filter(([scope]) => !dropped.has(scope))))
  throw new Problem('resync', 'Drop the rows of these scopes, keep the outbox, and go on from this cursor.', {
    members: { reason, scopes, cursor: rest },
  })
}
