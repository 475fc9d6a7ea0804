/**
 * What a file is that is neither CSV nor JSON, by its first bytes: words that follow its name and
 * say what to do. `isToldText`: its encoding is known.
 */
export function sayKind(head: Uint8Array, isToldText: boolean): string | undefined {
  const text = Buffer.from(head.subarray(0, 1024)).toString('latin1')
  for (const [beginning, words] of kinds) if (text.startsWith(beginning)) return words
  const trimmed = text.replace(/^\xef\xbb\xbf/, '').trimStart()
  if (/^<(!doctype\s+html|html|head|body)\b/i.test(trimmed))
    return 'is an HTML page, such as a server answers with that wants a sign-in. Fetch the file itself.'
  if (/^<\?xml\b/i.test(trimmed)) return 'is XML, which cannot be read. Export it as CSV or JSON.'
  if (isToldText || !text.includes('\0')) return undefined
  const utf16 = guessUtf16(head.subarray(0, 1024))
  if (utf16 !== undefined) return `looks like UTF-16 without a byte order mark: write --encoding ${utf16}.`
  const odd = text.match(/[\0-\x08\x0e-\x1f]/g)?.length ?? 0
  return odd * 10 > text.length ? 'is no text but a binary file. Export it as CSV or JSON.' : undefined
}

const kinds: readonly (readonly [beginning: string, words: string])[] = [
  ['PK\x03\x04', 'is a zip archive, as .xlsx and .ods are: save the sheet as CSV (UTF-8), or unzip it.'],
  ['PK\x05\x06', 'is an empty zip archive.'],
  ['\xd0\xcf\x11\xe0', 'is an .xls of Excel: save the sheet as CSV (UTF-8).'],
  ['\x1f\x8b', 'is gzip. Give it a name that ends in .gz, or unpack it: gunzip -c … | npx driftline import … -'],
  ['BZh91AY&SY', 'is bzip2: unpack it first (bunzip2).'],
  ['\xfd7zXZ', 'is xz: unpack it first (unxz).'],
  ['\x28\xb5\x2f\xfd', 'is zstd: unpack it first (unzstd).'],
  ['7z\xbc\xaf', 'is a 7z archive: unpack it first.'],
  ['%PDF-', 'is a PDF, which holds no rows. Export them as CSV.'],
  [
    'SQLite format 3\0',
    `is an SQLite database. sqlite3 … -json 'SELECT * FROM …' > rows.json writes what --from sqlite reads.`,
  ],
  [
    'PGDMP\x01',
    `is a dump of pg_dump. psql -c '\\copy … TO rows.csv WITH (FORMAT csv, HEADER)' writes what can be imported.`,
  ],
  ['PAR1\x15', 'is Parquet, which cannot be read. Export it as CSV or NDJSON.'],
]

/** In Western text every other byte of UTF-16 is nought. */
function guessUtf16(head: Uint8Array): string | undefined {
  const noughts = [0, 0]
  for (const [at, byte] of head.entries()) if (byte === 0) noughts[at % 2] = (noughts[at % 2] ?? 0) + 1
  const [even = 0, odd = 0] = noughts
  if (odd * 4 > head.length && even * 10 < odd) return 'utf-16le'
  return even * 4 > head.length && odd * 10 < even ? 'utf-16be' : undefined
}
