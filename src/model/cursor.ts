import { base64url } from 'jose'
import type { Cursor, CursorEntry, ScopeHead } from './cursor-entry.ts'
import { readFirstForm, writeFirstForm } from './cursor-first-form.ts'
import { Problem } from './errors.ts'
import { limits } from './limits.ts'
import { checksum, createPacker, createUnpacker } from './packed.ts'
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
 * Opaque text for clients: base64url of a version, a checksum, and each scope's entry in as few
 * bytes as it needs, about twenty for a scope of a short name.
 */
export function formatCursor(cursor: Cursor): string {
  return base64url.encode(packCursor(cursor))
}

function packCursor(cursor: Cursor): Uint8Array {
  const { text, number, bytes } = createPacker()
  for (const [scope, { incarnation, position, start }] of cursor) {
    text(scope)
    text(incarnation)
    number(position)
    number(start === 0 ? 0 : start - position)
  }
  const body = bytes()
  const packed = new Uint8Array(bodyAt + body.length)
  packed[0] = version
  new DataView(packed.buffer).setUint32(1, checksum(body))
  packed.set(body, bodyAt)
  return packed
}

/**
 * Throws the `Problem` invalid_cursor for everything that `formatCursor` did not write, today or in
 * its first form.
 */
export function parseCursor(cursor: string): Cursor {
  try {
    if (!isCanonical(cursor)) throw invalid
    const bytes = base64url.decode(cursor)
    const isPacked = bytes[0] === version
    const entries = isPacked ? unpackCursor(bytes) : readFirstForm(bytes)
    const parsed = new Map(entries)
    for (const [scope, entry] of parsed) if (!isName(scope, limits.scopeLengthMax) || !isEntry(entry)) throw invalid
    // No scope twice, and one spelling for each cursor: what is packed has no other, and JSON is
    // written again.
    if (parsed.size !== entries.length) throw invalid
    if (!isPacked && !isSame(writeFirstForm(parsed), bytes)) throw invalid
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

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

function unpackCursor(packed: Uint8Array): [string, CursorEntry][] {
  const body = packed.subarray(bodyAt)
  if (new DataView(packed.buffer, packed.byteOffset).getUint32(1) !== checksum(body)) throw invalid
  const { text, number, isAtEnd } = createUnpacker(body)
  const entries: [string, CursorEntry][] = []
  while (!isAtEnd()) {
    const [scope, incarnation, position, ahead] = [text(), text(), number(), number()]
    entries.push([scope ?? '', { incarnation, position, start: ahead === 0 ? 0 : position + ahead }])
  }
  return entries
}

/**
 * What a server hands out, and so what every database can be held against: whoever forges a cursor
 * gets no further with one than with a scope that was put back.
 */
function isEntry({ incarnation, position, start }: CursorEntry): boolean {
  if (incarnation === null) return position === 0 && start === 0
  if (!/^[a-z0-9]{1,32}$/.test(incarnation)) return false
  return isPosition(position) && isPosition(start) && (start === 0 || start > position)
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

const invalid = new Error('invalid cursor')
/** A byte that no cursor of the first form begins with: those are text. */
const version = 1
/** Behind the version and the checksum. */
const bodyAt = 5
