/** Writes numbers and texts one after the other, in as few bytes as are needed. */
export interface Packer {
  number(value: number): void
  text(value: string | null): void
  bytes(): Uint8Array
}

/**
 * Reads them in the same order. Throws where the bytes end too early, or hold what no packer
 * writes.
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
const hexPattern = /^(?:[0-9a-f]{2})+$/

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
  function hex(digits: string): void {
    reserve(digits.length / 2)
    for (let at = 0; at < digits.length; at += 2) packed[length++] = Number.parseInt(digits.slice(at, at + 2), 16)
  }
  return {
    number,
    text(value) {
      if (value === null) return number(nullMark)
      if (uuidPattern.test(value)) {
        number(uuidMark)
        return hex(value.replaceAll('-', ''))
      }
      if (hexPattern.test(value)) {
        number(lengthsFrom + value.length + 1)
        return hex(value)
      }
      const text = encoder.encode(value)
      number(lengthsFrom + 2 * text.length)
      reserve(text.length)
      packed.set(text, length)
      length += text.length
    },
    bytes: () => packed.subarray(0, length),
  }
}

/** Of a safe integer: seven bits in each. */
const numberBytesMax = 8

export function createUnpacker(packed: Uint8Array): Unpacker {
  let at = 0
  function take(length: number): Uint8Array {
    if (length > packed.length - at) throw new RangeError('the bytes end too early')
    at += length
    return packed.subarray(at - length, at)
  }
  function number(): number {
    let value = 0
    for (let weight = 1; ; weight *= 0x80) {
      const byte = packed[at++]
      if (byte === undefined) throw new RangeError('the bytes end too early')
      value += (byte & 0x7f) * weight
      if (!Number.isSafeInteger(value)) throw new RangeError('the number is too large')
      if (byte < 0x80) return value
    }
  }
  const hex = (length: number) => Array.from(take(length), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return {
    number,
    text() {
      const mark = number()
      if (mark === nullMark) return null
      if (mark === uuidMark) return hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
      const length = Math.floor((mark - lengthsFrom) / 2)
      return mark % 2 === 1 ? hex(length) : decoder.decode(take(length))
    },
    isAtEnd: () => at === packed.length,
  }
}

/** FNV-1a, 32 bits. It guards against accidents; what is forged must be harmless by itself. */
export function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
