import { base64url } from 'jose'
import type { Cursor, CursorEntry, ScopeHead } from './cursor-entry.ts'
import { readFirstForm, writeFirstForm } from './cursor-first-form.ts'
import { Problem } from './errors.ts'
import { limits } from './limits.ts'
import { checksum, createPacker, createUnpacker } from './packed.ts'
import { isName } from './text.ts'
import type { Known } from './view.ts'

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

/**
 * The columns that rows were handed out with stand first, each set once. An entry says by a number
 * which one is its own: 0 none, and of the others the odd ones with another that it is learning.
 */
function packCursor(cursor: Cursor): Uint8Array {
  const { text, number, bytes } = createPacker()
  const { sets, placeOf } = knownSets(cursor)
  number(sets.length)
  for (const known of sets) {
    number(known.length)
    for (const [place, mark] of known.entries()) number(mark - (known[place - 1] ?? 0))
  }
  for (const [scope, { incarnation, position, start, known, learning }] of cursor) {
    text(scope)
    text(incarnation)
    number(position)
    number(start === 0 ? 0 : start - position)
    number(known ? 2 * placeOf(known) + (learning ? 1 : 0) : 0)
    if (!known || !learning) continue
    number(placeOf(learning.known))
    number(learning.position)
  }
  return seal(version, bytes())
}

/** In the order in which entries name them first, from 1 on. */
function knownSets(cursor: Cursor): { readonly sets: readonly Known[]; placeOf(known: Known): number } {
  const sets: Known[] = []
  const places = new Map<string, number>()
  // Nearly always all entries have the very same.
  const met = new Map<Known, number>()
  for (const { known, learning } of cursor.values()) {
    for (const one of [known, learning?.known]) {
      if (!one || met.has(one)) continue
      const place = places.get(one.join()) ?? sets.push(one)
      places.set(one.join(), place)
      met.set(one, place)
    }
  }
  return { sets, placeOf: (known) => met.get(known) ?? 0 }
}

/** Cursors as they were before they said which columns a client knows. */
function packSecondForm(cursor: Cursor): Uint8Array {
  const { text, number, bytes } = createPacker()
  for (const [scope, { incarnation, position, start }] of cursor) {
    text(scope)
    text(incarnation)
    number(position)
    number(start === 0 ? 0 : start - position)
  }
  return seal(secondForm, bytes())
}

function seal(form: number, body: Uint8Array): Uint8Array {
  const packed = new Uint8Array(bodyAt + body.length)
  packed[0] = form
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
    const [read, write] = formOf(bytes)
    const parsed = new Map(read(bytes))
    for (const [scope, entry] of parsed) if (!isName(scope, limits.scopeLengthMax) || !isEntry(entry)) throw invalid
    // Written again it must be the same: no scope twice, and one spelling for each cursor.
    if (!isSame(write(parsed), bytes)) throw invalid
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

function formOf(bytes: Uint8Array): [read: (bytes: Uint8Array) => Entries, write: (cursor: Cursor) => Uint8Array] {
  if (bytes[0] === version) return [unpackCursor, packCursor]
  return bytes[0] === secondForm ? [unpackSecondForm, packSecondForm] : [readFirstForm, writeFirstForm]
}

type Entries = [scope: string, entry: CursorEntry][]

function unpackCursor(packed: Uint8Array): Entries {
  const { text, number, isAtEnd } = createUnpacker(bodyOf(packed))
  const sets: Known[] = []
  for (let left = number(); left > 0; left--) sets.push(unpackKnown(number))
  const setAt = (place: number): Known => {
    const known = sets[place - 1]
    if (!known) throw invalid
    return known
  }
  const entries: Entries = []
  while (!isAtEnd()) {
    const entry = unpackEntry(text, number)
    const code = number()
    const known = code === 0 ? undefined : setAt(Math.floor(code / 2))
    const learning = code % 2 === 1 ? { known: setAt(number()), position: number() } : undefined
    entries.push([entry.scope, { ...entry.entry, known, learning }])
  }
  return entries
}

function unpackKnown(number: () => number): Known {
  const known: number[] = []
  for (let left = number(), mark = 0; left > 0; left--) {
    mark += number()
    if (known.length >= marksMax || mark > markMax || mark === known.at(-1)) throw invalid
    known.push(mark)
  }
  return known
}

function unpackSecondForm(packed: Uint8Array): Entries {
  const { text, number, isAtEnd } = createUnpacker(bodyOf(packed))
  const entries: Entries = []
  while (!isAtEnd()) {
    const { scope, entry } = unpackEntry(text, number)
    entries.push([scope, entry])
  }
  return entries
}

function unpackEntry(text: () => string | null, number: () => number): { scope: string; entry: CursorEntry } {
  const [scope, incarnation, position, ahead] = [text(), text(), number(), number()]
  return { scope: scope ?? '', entry: { incarnation, position, start: ahead === 0 ? 0 : position + ahead } }
}

function bodyOf(packed: Uint8Array): Uint8Array {
  const body = packed.subarray(bodyAt)
  if (new DataView(packed.buffer, packed.byteOffset).getUint32(1) !== checksum(body)) throw invalid
  return body
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
/** Bytes that no cursor of the first form begins with: those are text. */
const [secondForm, version] = [1, 2]
/** No schema has more tables and columns. */
const marksMax = limits.tablesMax * (limits.columnsMax + 1)
const markMax = 2 ** 24 - 1
/** Behind the version and the checksum. */
const bodyAt = 5
