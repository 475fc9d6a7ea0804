/** A UUID of version 7: sorts by the time it was made at. */
export function newId(): string {
  const bytes = randomBytes(16)
  let ms = Date.now()
  for (let place = 5; place >= 0; place--) {
    bytes[place] = ms % 256
    ms = Math.floor(ms / 256)
  }
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** A name that no other client has. */
export const newName = (): string => Array.from(randomBytes(15), (byte) => letters[byte % letters.length]).join('')

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Where a runtime has no `crypto`, such as Hermes, chance is as good as its `Math.random`. */
function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count)
  if (typeof crypto !== 'undefined' && 'getRandomValues' in crypto) return crypto.getRandomValues(bytes)
  return bytes.map(() => Math.floor(Math.random() * 256))
}
