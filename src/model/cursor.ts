import * as base64url from 'jose/base64url'
import type { Cursor, CursorEntry, ScopeHead } from './cursor-entry.ts'
import { formOf, today } from './cursor-forms.ts'
import { Problem } from './errors.ts'
import { limits } from './limits.ts'
import { isName } from './text.ts'

/** Why a cursor can no longer be answered from. */
export type ResyncReason = 'pruned' | 'restored'

/**
 * How far a cursor needs the scope's history to be whole. Within a bootstrap that is where it
 * began: what was pruned before belonged to rows that this client never held, and a bootstrap below
 * the watermark could otherwise never end.
 */
export function cursorFloor({ position, start }: CursorEntry): number {
  return Math.max(position, start)
}

/**
 * Whether a cursor must resync (P9, P16): below the watermark, of another incarnation, or ahead of
 * its scope. The gate of a push says the same in SQL, inside the transaction.
 */
export function checkCursor(entry: CursorEntry, head: ScopeHead | undefined): ResyncReason | undefined {
  if (!head) return entry.incarnation === null && cursorFloor(entry) === 0 ? undefined : 'restored'
  if (entry.incarnation !== null && entry.incarnation !== head.incarnation) return 'restored'
  if (cursorFloor(entry) > head.position) return 'restored'
  return cursorFloor(entry) < head.watermark ? 'pruned' : undefined
}

/**
 * Opaque text for clients: base64url of a version, a checksum, which columns they know, and each
 * scope's entry in as few bytes as it needs, about twenty for a scope of a short name.
 */
export function formatCursor(cursor: Cursor): string {
  return base64url.encode(today.write(cursor))
}

/**
 * Throws the `Problem` invalid_cursor for everything that `formatCursor` did not write, today or
 * before.
 */
export function parseCursor(cursor: string): Cursor {
  try {
    if (!isCanonical(cursor)) throw invalid
    const bytes = base64url.decode(cursor)
    const entries = formOf(bytes).read(bytes)
    const parsed = new Map(entries)
    for (const [scope, entry] of parsed) if (!isName(scope, limits.scopeLengthMax) || !isEntry(entry)) throw invalid
    if (parsed.size !== entries.length) throw invalid
    return parsed
  } catch {
    throw new Problem('invalid_cursor', 'Send the cursor exactly as it was handed out, or null to begin anew.')
  }
}

/**
 * Whether base64url ends as an encoder writes it: without padding, and without bits that mean
 * nothing.
 */
function isCanonical(text: string): boolean {
  if (!/^[\w-]*$/.test(text)) return false
  const rest = text.length % 4
  return rest === 0 || (rest === 2 && /[AQgw]$/.test(text)) || (rest === 3 && /[AEIMQUYcgkosw048]$/.test(text))
}

/**
 * What a server hands out, and so what every database can be held against: whoever forges a cursor
 * gets no further with one than with a scope that was put back.
 */
function isEntry({ incarnation, position, start, learning }: CursorEntry): boolean {
  if (learning && !(isPosition(learning.position) && learning.position < position)) return false
  if (incarnation === null) return position === 0 && start === 0
  if (!/^[a-z0-9]{1,32}$/.test(incarnation)) return false
  return isPosition(position) && isPosition(start) && (start === 0 || start > position)
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

const invalid = new Error('invalid cursor')
