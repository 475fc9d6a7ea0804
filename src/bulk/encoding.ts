import { isUtf8 } from 'node:buffer'

/** What a file is written in, by the name that TextDecoder has for it. */
export interface Encoding {
  readonly name: string
  /** Bytes of the byte order mark that it begins with. */
  readonly mark: number
}

/** A file that is not written in what it was taken for. */
export class EncodingFault extends TypeError {
  override readonly name = 'EncodingFault'
}

const marks: readonly (readonly [name: string, ...bytes: number[]])[] = [
  ['utf-8', 0xef, 0xbb, 0xbf],
  ['utf-16le', 0xff, 0xfe],
  ['utf-16be', 0xfe, 0xff],
]

/**
 * By the mark that the file begins with, which is never wrong; else as it was named, else UTF-8.
 */
export function findEncoding(head: Uint8Array, named: string | undefined, file: string): Encoding {
  if (startsWith(head, [0xff, 0xfe, 0, 0]) || startsWith(head, [0, 0, 0xfe, 0xff]))
    throw new EncodingFault(`${file} is UTF-32, which cannot be read: iconv -f utf-32 -t utf-8 makes UTF-8 of it.`)
  for (const [name, ...bytes] of marks) {
    if (startsWith(head, bytes)) return { name, mark: bytes.length }
  }
  return { name: named ?? 'utf-8', mark: 0 }
}

/** The name that TextDecoder has for an encoding, or a `TypeError` that says what to write. */
export function readEncoding(label: string): string {
  try {
    return new TextDecoder(label).encoding
  } catch {
    throw new TypeError(
      `--encoding ${label} is none that is known here. Known are utf-8, utf-16le, utf-16be, windows-1252, iso-8859-15, macintosh, shift_jis, gb18030 and others; of another make UTF-8 first: iconv -f … -t utf-8.`,
    )
  }
}

/**
 * The file as UTF-8, block by block. The first bytes that its encoding does not have end it with
 * their place.
 */
export function toUtf8(
  source: AsyncIterable<Uint8Array>,
  encoding: Encoding,
  file: string,
): AsyncGenerator<Uint8Array> {
  return encoding.name === 'utf-8' ? checkUtf8(source, file) : decode(source, encoding, file)
}

async function* checkUtf8(source: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Uint8Array> {
  const place = new Place()
  let rest = Buffer.alloc(0)
  function check(block: Buffer): Buffer {
    if (!isUtf8(block)) throw fault(file, 'UTF-8', place.after(block, firstBad(block)))
    place.pass(block)
    return block
  }
  for await (const bytes of source) {
    const block = rest.length > 0 ? Buffer.concat([rest, bytes]) : toBuffer(bytes)
    // A character may be cut where the block ends.
    const end = block.length - cutLength(block)
    rest = Buffer.from(block.subarray(end))
    if (end > 0) yield check(block.subarray(0, end))
  }
  if (rest.length > 0) yield check(rest)
}

async function* decode(
  source: AsyncIterable<Uint8Array>,
  { name, mark }: Encoding,
  file: string,
): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(name, { fatal: true, ignoreBOM: true })
  const place = new Place()
  let left = mark
  let bytesBefore = 0
  const convert = (bytes: Uint8Array, isEnd: boolean): Buffer => {
    try {
      const block = Buffer.from(decoder.decode(bytes, { stream: !isEnd }))
      place.pass(block)
      bytesBefore += bytes.length
      return block
    } catch {
      const text = new TextDecoder(name).decode(bytes)
      const found = text.indexOf('\ufffd')
      const { line } = place.after(Buffer.from(text), Buffer.byteLength(text.slice(0, Math.max(found, 0))))
      throw fault(file, name, {
        line,
        byte: bytesBefore + Math.min(bytes.length, Math.max(1, lengthBefore(name, bytes))),
      })
    }
  }
  for await (const bytes of source) {
    const passed = Math.min(left, bytes.length)
    left -= passed
    bytesBefore += passed
    yield convert(bytes.subarray(passed), false)
  }
  yield convert(new Uint8Array(0), true)
}

/** How many bytes of a bad block can be read, by halving, and the first of them that cannot. */
function lengthBefore(name: string, bytes: Uint8Array): number {
  const isGood = (length: number) => {
    try {
      new TextDecoder(name, { fatal: true }).decode(bytes.subarray(0, length), { stream: true })
      return true
    } catch {
      return false
    }
  }
  let [good, bad] = [0, bytes.length]
  while (bad - good > 1) {
    const half = (good + bad) >> 1
    if (isGood(half)) good = half
    else bad = half
  }
  return bad
}

/** Counts lines and bytes as they pass. */
class Place {
  #bytes = 0
  #feeds = 0
  #returns = 0

  pass(block: Buffer): void {
    this.#bytes += block.length
    this.#feeds += count(block, 10)
    // Of a file with line feeds nobody asks for the others.
    if (this.#feeds === 0) this.#returns += count(block, 13)
  }

  after(block: Buffer, length: number): { line: number; byte: number } {
    const byte = this.#bytes + length + 1
    this.pass(block.subarray(0, length))
    return { line: 1 + (this.#feeds || this.#returns), byte }
  }
}

function count(block: Buffer, byte: number): number {
  let found = 0
  for (let at = block.indexOf(byte); at !== -1; at = block.indexOf(byte, at + 1)) found++
  return found
}

function fault(file: string, name: string, { line, byte }: { line: number; byte: number }): EncodingFault {
  const advice =
    name === 'UTF-8'
      ? 'Say what it is written in: --encoding windows-1252 (Windows and Excel in the West), or such as iso-8859-2, windows-1251, macintosh, shift_jis, utf-16le.'
      : 'Name another --encoding.'
  return new EncodingFault(
    `${file} is not ${name}: line ${line}, byte ${byte} of the file, is none of its characters. ${advice}`,
  )
}

/** The place of the first byte that belongs to no character. */
function firstBad(block: Buffer): number {
  let [good, bad] = [0, block.length]
  while (bad - good > 1) {
    const half = (good + bad) >> 1
    const part = block.subarray(good, half)
    const whole = part.length - cutLength(part)
    if (isUtf8(part.subarray(0, whole)) && whole > 0) good += whole
    else if (whole === 0) break
    else bad = half
  }
  for (let at = good; at < block.length; ) {
    const length = lengthOf(block[at] as number)
    if (!isUtf8(block.subarray(at, at + length))) return at
    at += length
  }
  return good
}

/** Bytes of a character that its block ends in the midst of. */
function cutLength(block: Buffer): number {
  for (let back = 1; back <= Math.min(3, block.length); back++) {
    const byte = block[block.length - back] as number
    if ((byte & 0xc0) !== 0x80) return lengthOf(byte) > back ? back : 0
  }
  return 0
}

const lengthOf = (lead: number): number => (lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4)

const toBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)

const startsWith = (head: Uint8Array, bytes: readonly number[]) => bytes.every((byte, at) => head[at] === byte)
