import type { Cursor, CursorEntry } from './cursor-entry.ts'
import { readFirstForm, writeFirstForm } from './cursor-first-form.ts'
import { limits } from './limits.ts'
import { checksum, createPacker, createUnpacker } from './packed.ts'
import type { Known } from './view.ts'

/** The bytes of a cursor, both ways. */
export interface CursorForm {
  readonly write: (cursor: Cursor) => Uint8Array
  /**
   * The entries, not yet checked. Throws where this is no such cursor, or has another spelling than
   * the one that is written.
   */
  readonly read: (bytes: Uint8Array) => Entries
}

type Entries = [scope: string, entry: CursorEntry][]

function readToday(packed: Uint8Array): Entries {
  const { text, number, isAtEnd } = createUnpacker(bodyOf(packed))
  const sets: Known[] = []
  const header = number()
  const isUniform = header % 2 === 1
  for (let left = Math.floor(header / 2); left > 0; left--) sets.push(unpackKnown(number))
  const setAt = (place: number): Known => {
    const known = sets[place - 1]
    if (!known) throw invalid
    return known
  }
  const entries: Entries = []
  while (!isAtEnd()) {
    const [scope, incarnation, position, ahead] = [text(), text(), number(), number()]
    const code = isUniform ? uniformCode : number()
    const known = code === 0 ? undefined : setAt(Math.floor(code / 2))
    const learning = code % 2 === 1 ? { known: setAt(number()), position: number() } : undefined
    entries.push([scope ?? '', { ...entryOf(incarnation, position, ahead), known, learning }])
  }
  // Numbers and texts have one spelling. Sets may stand in another order, or be there for nothing.
  if (isUniform && sets.length !== Math.min(entries.length, 1)) throw invalid
  return isUniform ? entries : theSame(entries, writeToday, packed)
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

function readSecondForm(packed: Uint8Array): Entries {
  const { text, number, isAtEnd } = createUnpacker(bodyOf(packed))
  const entries: Entries = []
  while (!isAtEnd()) {
    const [scope, incarnation, position, ahead] = [text(), text(), number(), number()]
    entries.push([scope ?? '', entryOf(incarnation, position, ahead)])
  }
  return entries
}

const entryOf = (incarnation: string | null, position: number, ahead: number): CursorEntry => ({
  incarnation,
  position,
  start: ahead === 0 ? 0 : position + ahead,
})

function bodyOf(packed: Uint8Array): Uint8Array {
  const body = packed.subarray(bodyAt)
  if (new DataView(packed.buffer, packed.byteOffset).getUint32(1) !== checksum(body)) throw invalid
  return body
}

/** Nearly always all entries have the one set that there is, and none says so. */
const uniformCode = 2

/**
 * The sets of columns that rows were handed out with stand first. Each entry says by a number which
 * one is its own: 0 none, and of the others the odd ones with another that it is learning.
 */
function writeToday(cursor: Cursor): Uint8Array {
  const { text, number, bytes } = createPacker()
  const { sets, placeOf } = knownSets(cursor)
  const codeOf = ({ known, learning }: CursorEntry) => (known ? 2 * placeOf(known) + (learning ? 1 : 0) : 0)
  const isUniform = [...cursor.values()].every((entry) => codeOf(entry) === uniformCode)
  number(2 * sets.length + (isUniform ? 1 : 0))
  for (const known of sets) {
    number(known.length)
    for (const [place, mark] of known.entries()) number(mark - (known[place - 1] ?? 0))
  }
  for (const [scope, entry] of cursor) {
    const { incarnation, position, start, known, learning } = entry
    text(scope)
    text(incarnation)
    number(position)
    number(start === 0 ? 0 : start - position)
    if (!isUniform) number(codeOf(entry))
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

/** Cursors as they were before they said which columns a client knows, which clients still hold. */
export function writeSecondForm(cursor: Cursor): Uint8Array {
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

const invalid = new Error('invalid cursor')
/** Behind the version and the checksum. */
const bodyAt = 5
/** Bytes that no cursor of the first form begins with: those are text. */
const [secondForm, version] = [1, 2]
/** No schema has more tables and columns. */
const marksMax = limits.tablesMax * (limits.columnsMax + 1)
const markMax = 2 ** 24 - 1

export const today: CursorForm = { write: writeToday, read: readToday }

/** Written again they must be the same. */
function theSame(entries: Entries, write: CursorForm['write'], packed: Uint8Array): Entries {
  if (!isSame(write(new Map(entries)), packed)) throw invalid
  return entries
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

/** The form that a cursor has: today's, or one that clients still hold. */
export function formOf([first]: Uint8Array): CursorForm {
  if (first === version) return today
  if (first === secondForm) return { write: writeSecondForm, read: readSecondForm }
  return { write: writeFirstForm, read: (bytes) => theSame(readFirstForm(bytes), writeFirstForm, bytes) }
}
