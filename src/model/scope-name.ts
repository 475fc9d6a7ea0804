import { limits } from './limits.ts'
import { isName } from './text.ts'

/** Scopes that are their own name. */
const plainLengthMax = 24
const plainPattern = new RegExp(`^[a-z0-9]{1,${plainLengthMax}}$`)
/** Files that Windows would take for a device, whatever their extension. */
const reservedPattern = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/
/** How much of another scope its name shows, and the characters of 130 bits of its hash. */
const slugLengthMax = 10
const hashLength = 26
/** Characters of the longest name. */
export const scopeNameLengthMax = slugLengthMax + hashLength
/** Every name, and nothing else that could lie in the same folder. */
export const scopeNamePattern = `[a-z0-9]{1,${scopeNameLengthMax}}`

/**
 * The name of a scope's own database, for a file or the label of a host: `alice` is `alice`,
 * `Team/9` is `team9` and 26 characters of SHA-256. Letters and digits of lower case only, so that
 * no scope can name another folder or host, on any file system. No hyphen either: in
 * `{scope}-acme.turso.io` it would move the border to the organisation's name, and `x-evil` would
 * be the database x of evil-acme.
 *
 * Two scopes never have one name: plain ones have 24 characters at the most and the others more
 * than that. Whoever found two scopes of one hash, 2^65 tries, would have two of their own in one
 * database, each under its own key. Stable for ever: a change of this function would lose every
 * database from view.
 */
export async function scopeToName(scope: string): Promise<string> {
  if (!isName(scope, limits.scopeLengthMax)) throw new TypeError('A scope is 1 to 128 characters, none of control')
  if (plainPattern.test(scope) && !reservedPattern.test(scope)) return scope
  // ASCII only: what is the lower case of another letter may change with Unicode.
  const slug = scope
    .replace(/[^A-Za-z0-9]+/g, '')
    .slice(0, slugLengthMax)
    .toLowerCase()
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(scope))
  return slug + base32(new Uint8Array(hash)).slice(0, hashLength)
}

/** RFC 4648 in lower case, five bits a character, without padding. */
function base32(bytes: Uint8Array): string {
  let text = ''
  let held = 0
  let bits = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    for (bits += 8; bits >= 5; bits -= 5) text += 'abcdefghijklmnopqrstuvwxyz234567'[(held >> (bits - 5)) & 31]
    held &= 31
  }
  return text
}
