import type { Cursor, CursorEntry } from './cursor-entry.ts'
import { checksum } from './packed.ts'

/**
 * Cursors as they were before they were packed, which clients still hold: JSON behind a checksum,
 * as bytes.
 */
export function writeFirstForm(cursor: Cursor): Uint8Array {
  const text = JSON.stringify(
    [...cursor].map(([scope, { incarnation, position, start }]) => [scope, incarnation, position, start]),
  )
  return encoder.encode(checksumText(text) + text)
}

/** The entries, not yet checked. Throws where this is no such cursor. */
export function readFirstForm(bytes: Uint8Array): [string, CursorEntry][] {
  const text = decoder.decode(bytes)
  const body = text.slice(checksumLength)
  const entries: unknown = JSON.parse(body)
  if (text.slice(0, checksumLength) !== checksumText(body) || !Array.isArray(entries)) throw invalid
  return entries.map((entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 4) throw invalid
    const [scope, incarnation, position, start] = entry
    if (incarnation !== null && typeof incarnation !== 'string') throw invalid
    return [scope, { incarnation, position, start }]
  })
}

const checksumText = (text: string) => checksum(encoder.encode(text)).toString(36).padStart(checksumLength, '0')

const invalid = new Error('invalid cursor')
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const checksumLength = 7
