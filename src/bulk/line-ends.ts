const [feed, carriageReturn] = [10, 13]

/**
 * Bytes whose lines end with a line feed. Where the first line ends with a CR alone, as on an old
 * Mac, each CR, CRLF and line feed ends one; else a CR is what JSON takes it for, a space, and the
 * bytes pass as they are.
 */
export async function* endWithFeeds(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let endsWith: 'unknown' | 'feed' | 'return' = 'unknown'
  // The block before ended with a CR: only the next byte says whether that is a CRLF.
  let isBehindReturn = false
  for await (const bytes of source) {
    if (bytes.length === 0) continue
    let block = bytes
    if (endsWith === 'unknown') {
      if (isBehindReturn) {
        endsWith = bytes[0] === feed ? 'feed' : 'return'
        yield Uint8Array.of(endsWith === 'feed' ? carriageReturn : feed)
        isBehindReturn = false
      } else {
        const end = bytes.findIndex((byte) => byte === feed || byte === carriageReturn)
        if (bytes[end] === feed || bytes[end + 1] === feed) endsWith = 'feed'
        else if (end !== -1 && end + 1 < bytes.length) endsWith = 'return'
        else if (end !== -1) {
          isBehindReturn = true
          block = bytes.subarray(0, end)
        }
      }
    }
    if (endsWith === 'return') {
      yield returnsToFeeds(block, isBehindReturn)
      isBehindReturn = block.at(-1) === carriageReturn
    } else yield block
  }
}

/** A line feed for each CR, and none for one behind a CR. */
function returnsToFeeds(block: Uint8Array, isBehindReturn: boolean): Uint8Array {
  const found = new Uint8Array(block.length)
  let length = 0
  let before = isBehindReturn ? carriageReturn : 0
  for (const byte of block) {
    if (byte !== feed || before !== carriageReturn) found[length++] = byte === carriageReturn ? feed : byte
    before = byte
  }
  return found.subarray(0, length)
}
