import { base64url } from 'jose'
import { Problem } from '../errors.ts'
import { limits } from '../limits.ts'
import { isName } from './text.ts'

/** How far a client has read one scope. */
export interface CursorEntry {
  /** The scope's history. Null: the scope had never been written when it was read. */
  readonly incarnation: string | null
  /** Every row up to here was handed out. */
  readonly position: number
  /** The scope's position when the bootstrap began: tombstones up to here are left out, the client never held their rows. */
  readonly start: number
}

/** What a client has read, scope by scope. A scope that is missing here bootstraps by itself. */
export type Cursor = ReadonlyMap<string, CursorEntry>

/** The state of a scope in the database, as the cursor is held against it. */
export interface ScopeHead {
  readonly incarnation: string
  readonly position: number
  /** Tombstones up to here may have been pruned. */
  readonly watermark: number
}

/** Why a cursor can no longer be answered from. */
export type ResyncReason = 'pruned' | 'restored'

/**
 * How far a cursor needs the scope's history to be whole. Within a bootstrap that is where it began: what was pruned
 * before belonged to rows that this client never held, and a bootstrap below the watermark could otherwise never end.
 */
export function cursorFloor({ position, start }: CursorEntry): number {
  return Math.max(position, start)
}

/**
 * Whether a cursor must resync (P9, P16): below the watermark, of another incarnation, or ahead of its scope.
 * The gate of a push says the same in SQL, inside the transaction.
 */
export function checkCursor(entry: CursorEntry, head: ScopeHead | undefined): ResyncReason | undefined {
  if (!head) return entry.incarnation === null ? undefined : 'restored'
  if (entry.incarnation !== null && entry.incarnation !== head.incarnation) return 'restored'
  if (cursorFloor(entry) > head.position) return 'restored'
  return cursorFloor(entry) < head.watermark ? 'pruned' : undefined
}

/** Opaque text for clients: base64url of JSON behind a checksum, so that a cut or changed cursor is refused, not misread. */
export function formatCursor(cursor: Cursor): string {
  const text = JSON.stringify(
    [...cursor].map(([scope, { incarnation, position, start }]) => [scope, incarnation, position, start]),
  )
  return base64url.encode(encoder.encode(checksum(text) + text))
}

/** Throws the `Problem` invalid_cursor for everything that `formatCursor` did not write. */
export function parseCursor(cursor: string): Cursor {
  try {
    const text = decoder.decode(base64url.decode(cursor))
    const body = text.slice(checksumLength)
    const entries: unknown = JSON.parse(body)
    if (text.slice(0, checksumLength) !== checksum(body) || !Array.isArray(entries)) throw invalid
    const parsed = new Map(entries.map(parseEntry))
    if (formatCursor(parsed) !== cursor) throw invalid
    return parsed
  } catch {
    throw new Problem('invalid_cursor', 'Send the cursor exactly as it was handed out, or null to begin anew.')
  }
}

function parseEntry(entry: unknown): [string, CursorEntry] {
  if (!Array.isArray(entry) || entry.length !== 4) throw invalid
  const [scope, incarnation, position, start] = entry
  if (!isName(scope, limits.scopeLengthMax)) throw invalid
  if (incarnation !== null && !(typeof incarnation === 'string' && /^[a-z0-9]{1,32}$/.test(incarnation))) throw invalid
  if (!isPosition(position) || !isPosition(start)) throw invalid
  return [scope, { incarnation, position, start }]
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

const invalid = new Error('invalid cursor')
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const checksumLength = 7

/** FNV-1a, 32 bits, as 7 characters. It guards against accidents; a forged cursor reads nothing its owner may not read. */
function checksum(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of encoder.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0).toString(36).padStart(checksumLength, '0')
}
