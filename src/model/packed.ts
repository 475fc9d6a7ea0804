/** Writes numbers and texts one after the other, in as few bytes as are needed. */
export interface Packer {
  number(value: number): void
  text(value: string | null): void
  bytes(): Uint8Array
}

/**
 * Reads them in the same order. Throws where the bytes end too early, or are not the very ones that
 * a packer writes: each number and each text has one spelling.
 */
export interface Unpacker {
  /** A safe integer from 0 on. */
  number(): number
  text(): string | null
  isAtEnd(): boolean
}

/**
 * What stands before a text: null, a UUID as 16 bytes, or its length, of which every second one is
 * of hexadecimal digits.
 */
const [nullMark, uuidMark, lengthsFrom] = [0, 1, 2]

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const hexPattern = /^[0-9a-f]+$/

const isUuid = (text: string) => text.length === uuidLength && uuidPattern.test(text)
const isHex = (text: string) => text.length % 2 === 0 && hexPattern.test(text)

export function createPacker(): Packer {
  let packed = new Uint8Array(256)
  let length = 0
  function reserve(count: number): void {
    if (length + count <= packed.length) return
    const larger = new Uint8Array(2 * (length + count))
    larger.set(packed.subarray(0, length))
    packed = larger
  }
  function number(value: number): void {
    reserve(numberBytesMax)
    let left = value
    // By division: a shift would cut to 32 bits.
    for (; left >= 0x80; left = Math.floor(left / 0x80)) packed[length++] = (left % 0x80) | 0x80
    packed[length++] = left
  }
  /** The digits of a UUID have dashes between their pairs. */
  function hex(digits: string): void {
    reserve(digits.length / 2)
    for (let at = 0; at < digits.length; at += 2) {
      if (digits.charCodeAt(at) === dash) at++
      packed[length++] = (digitOf(digits, at) << 4) | digitOf(digits, at + 1)
    }
  }
  return {
    number,
    text(value) {
      if (value === null) return number(nullMark)
      if (isUuid(value)) {
        number(uuidMark)
        return hex(value)
      }
      if (isHex(value)) {
        number(lengthsFrom + value.length + 1)
        return hex(value)
      }
      // Names are short, and nearly all of them ASCII: a call of the encoder takes longer.
      const bytes = isAscii(value) ? undefined : encoder.encode(value)
      const count = bytes?.length ?? value.length
      number(lengthsFrom + 2 * count)
      reserve(count)
      if (bytes) packed.set(bytes, length)
      else for (let at = 0; at < count; at++) packed[length + at] = value.charCodeAt(at)
      length += count
    },
    bytes: () => packed.subarray(0, length),
  }
}

/** Of a safe integer: seven bits in each. */
const numberBytesMax = 8

export function createUnpacker(packed: Uint8Array): Unpacker {
  let at = 0
  /** Moves on past so many bytes, and gives where they begin. */
  function take(length: number): number {
    if (length > packed.length - at) throw new RangeError('the bytes end too early')
    at += length
    return at - length
  }
  function number(): number {
    let value = 0
    for (let weight = 1; ; weight *= 0x80) {
      const byte = packed[at++]
      if (byte === undefined) throw new RangeError('the bytes end too early')
      value += (byte & 0x7f) * weight
      if (!Number.isSafeInteger(value)) throw new RangeError('the number is too large')
      if (byte >= 0x80) continue
      if (byte === 0 && weight > 1) throw new RangeError('the number has more bytes than it needs')
      return value
    }
  }
  function hex(length: number, isDashed = false): string {
    const from = take(length)
    const digits: number[] = []
    for (let pair = from; pair < at; pair++) {
      if (isDashed && dashesAt.includes(digits.length)) digits.push(dash)
      const byte = packed[pair] as number
      digits.push(digitCodes[byte >> 4] as number, digitCodes[byte & 15] as number)
    }
    return String.fromCharCode(...digits)
  }
  function plain(length: number): string {
    const text = decodeText(packed.subarray(take(length), at))
    if (isUuid(text) || isHex(text)) throw new RangeError('the text has more bytes than it needs')
    return text
  }
  return {
    number,
    text() {
      const mark = number()
      if (mark === nullMark) return null
      if (mark === uuidMark) return hex(16, true)
      const length = Math.floor((mark - lengthsFrom) / 2)
      if (mark % 2 === 0) return plain(length)
      if (length === 0) throw new RangeError('the text is empty')
      return hex(length)
    },
    isAtEnd: () => at === packed.length,
  }
}

/** FNV-1a, 32 bits. It guards against accidents; what is forged must be harmless by itself. */
export function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
  return hash >>> 0
}

const uuidLength = 36
const dash = 45
const dashesAt = [8, 13, 18, 23]
const digitCodes = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))

/** Of a text of hexadecimal digits, the value of one. */
function digitOf(digits: string, place: number): number {
  const code = digits.charCodeAt(place)
  return code < codeOfA ? code - codeOfZero : code - codeOfA + 10
}
const [codeOfZero, codeOfA] = [48, 97]

function isAscii(text: string): boolean {
  for (let place = 0; place < text.length; place++) if (text.charCodeAt(place) >= 0x80) return false
  return true
}

function decodeText(bytes: Uint8Array): string {
  let text = ''
  for (let place = 0; place < bytes.length; place++) {
    const byte = bytes[place] as number
    if (byte >= 0x80) return decoder.decode(bytes)
    text += String.fromCharCode(byte)
  }
  return text
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
