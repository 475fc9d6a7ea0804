const newline = 10
const carriageReturn = 13

/** Marks in the text, which no UTF-8 decodes to: lone surrogates. A column never takes them. */
export const marks = {
  /** In place of bytes that are no UTF-8. */
  undecodable: '\udcff',
  /** In place of a whole line that is too long. */
  tooLong: '\udcfe',
} as const

/**
 * Text in blocks of whole lines, as bytes come: no more than a block and a line is held. The byte
 * order mark is passed over; what is wrong with a line is a mark in it, so that it harms no other.
 */
export async function* readTextBlocks(source: AsyncIterable<Uint8Array>, lineBytesMax: number): AsyncGenerator<string> {
  let rest = Buffer.alloc(0)
  let isTooLong = false
  let isFirst = true

  function decode(block: Buffer): string {
    // Of a line that is too long all but its end is dropped already.
    const end = isTooLong ? firstEnd(block) : 0
    const text = (isTooLong ? marks.tooLong : '') + decodeLines(end === -1 ? Buffer.alloc(0) : block.subarray(end))
    isTooLong = false
    if (!isFirst) return text
    isFirst = false
    return text.startsWith('\ufeff') ? text.slice(1) : text
  }

  for await (const bytes of source) {
    const end = wholeLines(bytes)
    if (end > 0) {
      yield decode(Buffer.concat([rest, bytes.subarray(0, end)]))
      rest = Buffer.from(bytes.subarray(end))
    } else {
      rest = Buffer.concat([rest, bytes])
    }
    if (rest.length > lineBytesMax) {
      isTooLong = true
      rest = Buffer.alloc(0)
    }
  }
  if (rest.length > 0 || isTooLong) yield decode(rest)
}

/**
 * How many of the bytes are whole lines. Where none ends with a line feed, as on an old Mac, the
 * last may be half a CRLF.
 */
function wholeLines(bytes: Uint8Array): number {
  const end = bytes.lastIndexOf(newline)
  if (end !== -1) return end + 1
  const found = bytes.lastIndexOf(carriageReturn)
  return found === bytes.length - 1 ? bytes.subarray(0, -1).lastIndexOf(carriageReturn) + 1 : found + 1
}

function firstEnd(block: Uint8Array): number {
  const found = block.indexOf(newline)
  return found === -1 ? block.indexOf(carriageReturn) : found
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

/** All at once, and line by line only where one is bad. */
function decodeLines(block: Buffer): string {
  try {
    return strict.decode(block)
  } catch {
    let text = ''
    for (let from = 0; from < block.length; ) {
      const found = block.indexOf(newline, from)
      const end = found === -1 ? block.length : found + 1
      text += decodeLine(block.subarray(from, end))
      from = end
    }
    return text
  }
}

function decodeLine(line: Buffer): string {
  try {
    return strict.decode(line)
  } catch {
    return lenient.decode(line).replaceAll('\ufffd', marks.undecodable)
  }
}
